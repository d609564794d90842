"""Which values may fill a word of a simple command, by what the command does with the word.

Denied by default. Allowed are a whole argument, an option's value, and a part of a plain argument.
In text of another language (SQL, awk, JSON, a nested shell, a here-document) a plain name is
allowed in that language's quotes, and a number elsewhere.
"""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise

from alert_router.enrich.placeholders import Context, key_of, usual_label

# Signs in a word's text for what is not text, from Unicode's private areas.
OPAQUE = "\ue000"  # a variable or a substitution
_FIRST_SLOT, _LAST_SLOT = 0xF0000, 0xFFFFD
_SLOT_RANGE = f"[{chr(_FIRST_SLOT)}-{chr(_LAST_SLOT)}]"
SLOT = re.compile(_SLOT_RANGE)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# They run their input or arguments: as text, as a file, or on another machine.
_SHELLS = _set(
    "sh bash dash ash zsh ksh mksh fish csh tcsh rbash busybox toybox su runuser at batch parallel "
    "script expect pwsh powershell tclsh crontab chroot nsenter unshare systemd-run setsid flock "
    "strace ltrace gdb screen tmux ansible salt pssh pdsh clush vagrant multipass lxc-attach make "
    "m4 entr xdotool osascript"
)
_REMOTE = _set("ssh mosh autossh sshpass gcloud")
# They read SQL or a language of their own.
_DATABASES = _set(
    "psql mysql mariadb sqlite3 sqlite clickhouse-client clickhouse cqlsh mongosh mongo influx "
    "cockroach bq sqlcmd sqlplus duckdb trino presto snowsql usql pgcli mycli "
    "hive beeline osqueryi"
)
_LANGUAGES = _set(
    "awk gawk mawk nawk jq gojq yq perl python python2 python3 ruby node deno bun php lua luajit "
    "groovy bc dc sed gsed ed ex vi vim nvim emacs envsubst"
)
_MONGO = _set("mongosh mongo")
# An unknown word counts as 0 or as empty there, without an error.
_UNKNOWN_IS_ZERO = _set("awk gawk mawk nawk perl php bc dc")
_INTERPRETERS = _SHELLS | _REMOTE | _DATABASES | _LANGUAGES
# Their input is data, not a program.
_FILTERS = _set("awk gawk mawk nawk jq gojq yq sed gsed")
_SEARCHERS = _set("grep egrep zgrep zegrep rg ag ack pgrep pkill ngrep")
_FIXED = re.compile(r"-[A-Za-z]*F[A-Za-z]*|--fixed-strings")

# They set variables, run text, compare, or compute.
_REFUSED = _set(
    "export local declare readonly typeset read readarray mapfile getopts eval source . trap alias "
    "unalias test [ let set unset printf expr exec builtin complete bind hash enable shopt fc "
    "history for select case esac in function coproc return exit break continue noglob nocorrect "
    "repeat"
)
_KEYWORDS = _set("then do else elif if while until ! { } done fi time $ %")
_CLOSERS = _set("} done fi esac") | {OPAQUE}
# They run the command that follows. Values: their options that take a word.
_WRAPPERS = {
    "sudo": _set("-u -g -h -p -C -T -U -D -R -r -t --user --group"),
    "doas": _set("-u -C"),
    "env": _set("-u -C -S --unset"),
    "command": frozenset[str](),
    "nohup": frozenset[str](),
    "nice": _set("-n"),
    "ionice": _set("-c -n -p"),
    "stdbuf": _set("-i -o -e"),
    "timeout": _set("-k -s"),
    "watch": _set("-n --interval"),
    "xargs": _set("-I -n -P -L -d -a -E -s -i"),
}
_WORD_FIRST = frozenset(("timeout",))  # a duration comes before the command
_CLUSTER = _set("kubectl oc k kubecolor")
_CLUSTER_LIKE = _CLUSTER | _set("helm stern velero virtctl")
# The label that a word means by the option, the kind of resource or the verb before it.
_OPTION_KINDS = {"-n": "namespace", "--namespace": "namespace"} | dict.fromkeys(
    ("-c", "--container"), "container"
)
_KINDS = {  # in lower case, as kubectl reads them
    alias: kind
    for kind, aliases in {
        "namespace": "namespaces namespace ns project",
        "pod": "pods pod po",
        "node": "nodes node no",
        "deployment": "deployments deployment deploy deployment.apps",
        "statefulset": "statefulsets statefulset sts",
        "daemonset": "daemonsets daemonset ds",
        "replicaset": "replicasets replicaset rs",
        "job_name": "jobs job",
        "cronjob": "cronjobs cronjob cj",
        "service": "services service svc endpoints",
        "persistentvolumeclaim": "persistentvolumeclaims persistentvolumeclaim pvc",
        "persistentvolume": "persistentvolumes persistentvolume pv",
        "horizontalpodautoscaler": "horizontalpodautoscalers horizontalpodautoscaler hpa",
        "poddisruptionbudget": "poddisruptionbudgets poddisruptionbudget pdb",
        "resourcequota": "resourcequotas resourcequota quota",
        "ingress": "ingresses ingress ing",
        "vm": "virtualmachines virtualmachine vms vm",
        "vmi": "virtualmachineinstances virtualmachineinstance vmis vmi",
        "storageclass": "storageclasses storageclass sc",
        "apiservice": "apiservices apiservice",
        "clusteroperator": "clusteroperators clusteroperator co",
        "machineconfigpool": "machineconfigpools machineconfigpool mcp",
    }.items()
    for alias in aliases.split()
}
_VERB_KINDS = dict.fromkeys(("logs", "exec", "rsh", "attach"), "pod") | dict.fromkeys(
    ("drain", "cordon", "uncordon"), "node"
)
_VERBS = _set("exec rsh logs describe rollout")
_UNIT_COMMANDS = _set("systemctl journalctl")
_BEFORE_UNIT = re.compile(
    r"(?:re)?start|stop|(?:force-)?reload|reload-or-restart|try-restart|status|show|cat|edit|kill"
    r"|enable|disable|(?:un)?mask|is-(?:active|enabled|failed)|reset-failed|-[a-z]*u|--unit"
)
# What comes after these is the author's own name.
_CREATES = _set("create run new-project new-app install label annotate set expose tag import")
_FLAGS = _set(
    "-i -t -it -ti -f -p --stdin --tty --follow --previous --all-containers --force "
    "--ignore-daemonsets --delete-emptydir-data --delete-local-data"
)
_GENERIC = _set("name myname yourname")  # by key
# Words that the reader replaces: `NAMESPACE`, `my-namespace`.
_BARE = re.compile(r"[A-Z][A-Z0-9_-]*[A-Z0-9]|(?:my|your)-[a-z-]+", re.ASCII)
_ENGINES = _set("docker podman nerdctl crictl docker-compose lxc incus ctr")
_INSIDE = _set("exec run debug rsh create attach")
_CLUSTER_VALUES = _set(
    "-n --namespace -c --container --context --cluster --kubeconfig -f --filename --user"
)
_ENGINE_VALUES = _set("-e -u -w --env --user --workdir --env-file --detach-keys")
_SSH_VALUES = frozenset(f"-{letter}" for letter in "bcDEeFIiJLlmOopQRSWwB")
# Labels of objects in a namespace: another namespace has other objects of that name.
_NAMESPACED = frozenset((*_KINDS.values(), "container", "app", "workload")) - _set(
    "namespace node persistentvolume storageclass apiservice clusteroperator machineconfigpool"
)
# Names that mean the label in these commands only: `systemctl restart <service>` is about a unit.
_OBJECTS = _CLUSTER | _SEARCHERS | _set("stern istioctl linkerd velero virtctl logcli echo see")
_CLIENTS = _set(
    "curl wget nslookup dig host getent nc ncat telnet ping grpcurl openssl traceroute mtr"
)
_MEANT_IN = dict.fromkeys(
    (
        *("container", "deployment", "replicaset", "cronjob", "job_name", "resourcequota"),
        *("volume", "vm", "vmi", "workload"),
    ),
    _OBJECTS,
) | {
    "service": _OBJECTS | _CLIENTS,
    "unit": _UNIT_COMMANDS | _set("echo see"),
    "cluster": _SEARCHERS | _set("echo see az eks eksctl clusters kubectx tsh argocd"),
}
# What only a runbook about a cluster means.
OF_A_CLUSTER = frozenset(_MEANT_IN) - {"cluster", "unit"}
# Tools with instances, databases or namespaces of their own, which no label names.
_CLOUDS = _set("gcloud aws az ibmcloud doctl openstack")
_MEANS_NONE_IN = {"instance": _CLOUDS | _UNIT_COMMANDS, "database": _CLOUDS}  # `x@<instance>`
_NAMESPACES = _set("aws az rbd rados ceph vault consul nomad temporal tctl ip lsns nsenter unshare")
_HOSTS = _set("ping ping6 nslookup dig host getent traceroute mtr telnet nc ncat")  # without a port
_GLUED_NAMESPACE = re.compile(r"--namespace=|-n=?(?!\Z)")
_HOST_OPTIONS = _set("-h --host --hostname")  # their ports are other options
_CONTEXTS = _set("--context --cluster --kube-context")
# They expect a disk, where the label `device` may be a partition.
_OF_DISKS = re.compile(
    r"growpart|dd|shred|wipefs|blkdiscard|[sc]?g?fdisk|parted|mdadm|mkfs.*|badblocks"
)
# Options whose word is run, or names what is run.
_RUN = re.compile(
    r"-(?:exec|execdir|ok|okdir|c|e|K|I|F|o|x)"
    r"|--(?:exec|eval|execute|command|scripts?|rsh|rsync-path|to-command|use-compress-program|config"
    r"|pager|editor|plugin|hook|checkpoint-action|post-renderer)"
)
_RUN_BY = {"scp": _set("-S"), "sftp": _set("-S -D"), "man": _set("-P -H"), "tcpdump": _set("-z")}
# Options whose word is a regular expression.
_SEARCHING = re.compile(r"-i?regex|--grep|--regexp?|--match|--pattern")
# Commands for which `-c`, `-e`, `-o` and the like are harmless.
_HARMLESS_SHORT = _CLUSTER | _ENGINES | _set("stern helm logcli promtool velero k9s argocd flux")
# Options of database clients whose word is data.
_DATA_OPTIONS = _set("-h -p -P -U -u -d -D -n --host --port --user --username --dbname --database")

# Their arguments are files to write to, as after `>`.
_WRITERS = _set("tee sponge")

_COMMAND = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=", re.ASCII)
_LONG_OPTION = re.compile(rf"(--[A-Za-z][\w-]*)={_SLOT_RANGE}", re.ASCII)
_PLAIN = re.compile(rf"(?:[\w./:@,=+%-]|{OPAQUE}|{_SLOT_RANGE})+")
_OPTION_NAME = re.compile(r"[-+][^=]*")
_QUOTABLE = re.compile(rf"(?:[\w./:@+-]|{_SLOT_RANGE})+", re.ASCII)
_NEAR = 100  # characters beside a placeholder that decide about it
_AFTER_REDIRECTION = re.compile(rf"(?:[<>&|!\\$]|\A(?=\s{{{_NEAR}}}))\s*\Z")

# A value would be a pattern here, so nothing is filled.
_PATTERN = re.compile(
    r"~|\b(?:i?like|similar|regexp?\w*|rlike|glob|match\w*|test|g?sub|scan|capture|splits?|search"
    r"|compile|findall|wildcard|query_string|prefix)\b|\bre\.",
    re.IGNORECASE,
)
_SQL = re.compile(
    r"\b(?:select|update|delete|insert|alter|drop|where|truncate|grant|vacuum)\b", re.IGNORECASE
)
_KEY_BEFORE = re.compile(r"[{,]\s*[\"']?\Z")
_KEY_AFTER = re.compile(r"[\"']?\s*:")
_DECLARES = re.compile(r"\bas\s+\Z|\b(?:my|our|foreach|for)\s*\(?\s*\Z")
_ASSIGNS = re.compile(r"\s*(?:[-+*/.|&?]|\|\||//)?=(?![=~])")


@dataclass(slots=True, eq=False)
class Placeholder:
    """A placeholder at `start:end` of a text, and its context.

    `spelled`: it is not a variable (`<pod-name>`). `stays`: it is a plain word or `in_brace`
    (`{pod}`), and stays as written if it is not filled. `raw`: the shell does not expand it. `own`:
    it is a variable of the program in whose text it stands. `hidden`: the runbook may set it, so it
    is not filled, nor its value shown. `foreign`: its name means no label of an alert in this
    command. `namespace`: that of its command, "" if it has none. `computed`: an unknown word would
    count as 0 there; None if not known.
    """

    start: int
    end: int
    name: str
    context: Context = Context.NONE
    raw: bool = False
    own: bool = False
    computed: bool | None = None
    spelled: bool = False
    stays: bool = False
    in_brace: bool = False
    hidden: bool = False
    foreign: bool = False
    namespace: "str | Placeholder" = ""


@dataclass(slots=True, eq=False)
class Word:
    """A word without its quotes, with a sign for each placeholder. `odd`: it has unquoted text
    that the shell expands. `start` and `end` are those of its source."""

    text: str = ""
    quoted: bool = False
    odd: bool = False
    placeholders: list[Placeholder] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def add(self, placeholder: Placeholder) -> str:
        """Add a placeholder; its sign in the text."""
        self.placeholders.append(placeholder)
        return chr(_FIRST_SLOT + min(len(self.placeholders) - 1, _LAST_SLOT - _FIRST_SLOT))

    def at(self, sign: re.Match[str]) -> Placeholder:
        """The placeholder of a sign."""
        return self.placeholders[ord(sign[0]) - _FIRST_SLOT]

    @property
    def literal(self) -> str:
        """The text, or "" if the shell decides a part of it."""
        return "" if self.placeholders or OPAQUE in self.text else self.text

    @property
    def exact(self) -> bool:
        """Whether it is one placeholder and nothing else."""
        return len(self.text) == 1 and len(self.placeholders) == 1 and not self.odd

    def put(self, context: Context) -> None:
        """Set the context of all its placeholders."""
        for placeholder in self.placeholders:
            placeholder.context = context


def is_simple(words: Sequence[Word]) -> bool:
    """Whether the shell certainly parses these words as a simple command."""
    return not any(w.odd or (not w.quoted and w.text in _KEYWORDS | _REFUSED) for w in words)


def closes_group(words: Sequence[Word]) -> bool:
    """Whether a command ends a loop, a condition or a group."""
    return bool(words) and words[0].text in _CLOSERS and not words[0].quoted


def reads_program(words: Sequence[Word]) -> bool:
    """Whether a command may run its input."""
    names = {_name(word) for word in words}
    return not names.isdisjoint(_INTERPRETERS - _FILTERS) or any(
        not word.literal for word in words[:1]
    )


def restrict(words: Sequence[Word], bare: Sequence[Placeholder]) -> None:
    """Mark the placeholders of a command whose names mean no label of an alert there, and give the
    others the command's namespace. `bare` are its plain words that are placeholders. A variable in
    lower case always means the label of its name."""
    names = {_name(word) for word in words}
    # An alias of kubectl may have any name.
    in_cluster = not names.isdisjoint(_CLUSTER_LIKE | _VERBS)
    namespace = _namespace(words, bare) if in_cluster else ""
    for each in bare:
        _restrict(each, namespace, _is_meant(usual_label(each.name), names))
    for before, word in pairwise((Word(), *words)):
        for sign in SLOT.finditer(word.text):
            each, after = word.at(sign), word.text[sign.end() : sign.end() + 2]
            label = usual_label(each.name)
            meant = _is_meant(label, names)
            if label == "cluster" and in_cluster:
                meant = (before.text if word.exact else word.text.partition("=")[0]) in _CONTEXTS
            elif label == "cluster":
                meant = meant and word.exact
            elif label == "service" and after[:1] == ".":  # of a domain
                other = SLOT.match(after, 1)
                meant = meant and bool(other and usual_label(word.at(other).name) == "namespace")
            elif label in _MEANT_IN and "see" in names and not word.exact:  # of a path or a file
                meant = word.text.partition("/")[0] in _KINDS
            _restrict(each, namespace, meant)


def _is_meant(label: str, names: Set[str]) -> bool:
    """Whether a name that usually means this label means it in a command of these words."""
    if label == "device":
        return not any(map(_OF_DISKS.fullmatch, names))
    if label in _MEANS_NONE_IN:
        return names.isdisjoint(_MEANS_NONE_IN[label])
    if label == "namespace":
        return names.isdisjoint(_NAMESPACES) or not names.isdisjoint(_CLUSTER_LIKE)
    return label not in _MEANT_IN or not names.isdisjoint(_MEANT_IN[label])


def _restrict(each: Placeholder, namespace: "str | Placeholder", meant: bool) -> None:
    if _is_upper_or_spelled(each):
        each.foreign = not meant
        each.namespace = namespace if usual_label(each.name) in _NAMESPACED else ""


def _is_upper_or_spelled(each: Placeholder) -> bool:
    return each.spelled or each.name.isupper()


def _namespace(words: Sequence[Word], bare: Sequence[Placeholder]) -> "str | Placeholder":
    """The namespace that a cluster command names, a text or a placeholder; "" for none. A text that
    the shell decides equals no namespace."""
    found: str | Placeholder = ""
    starts = {each.start: each for each in bare}
    for before, word in pairwise(words):
        if word.text == "--":
            break
        glued = _GLUED_NAMESPACE.match(word.text)
        at = glued.end() if glued else 0
        if not at and (_OPTION_KINDS.get(before.text) != "namespace" or word.text.isdigit()):
            continue
        found = starts.get(word.start + at, word.text[at:])
        if word.placeholders:
            alone = len(word.text) == at + 1 and len(word.placeholders) == 1
            found = word.placeholders[0] if alone else OPAQUE
    return found


def judge(words: Sequence[Word]) -> bool:
    """Set the context of each placeholder of a command. Returns whether the command may run its
    arguments, so that nothing in its substitutions may be filled either."""
    at = 0
    while at < len(words) and not words[at].quoted and words[at].text in _KEYWORDS:
        at += 1
    while at < len(words) and _ASSIGNMENT.match(words[at].text):
        at += 1
    return at < len(words) and _judge(words[at:])


def bare_names(words: Sequence[Word], known: Set[str]) -> Iterator[Placeholder]:
    """The plain words of a cluster command that are placeholders by their place: `NAMESPACE` after
    `-n`, `POD` after `logs`, `my-pod` after `pod/`. `<name>` and `$NAME` there get the name of
    their kind, as do `<service>` and the like where a command wants a unit of systemd. `known` are
    the keys of the names that may be one."""
    for word, at, kind in _named_arguments(words):
        name = word.text[at:]
        generic = _names_any(name, kind)
        if word.placeholders:
            only = word.placeholders[0]
            if len(name) == 1 and _names_any(only.name, kind) and _is_upper_or_spelled(only):
                only.name, only.spelled = kind, True
        elif _BARE.fullmatch(name) and (generic or key_of(name) in known):
            context = Context.PART if at else Context.ARGUMENT
            name = kind if generic else name
            start = word.start + at
            yield Placeholder(start, word.end, name, context, spelled=True, stays=True)


def _names_any(name: str, kind: str) -> bool:
    """Whether a name means whatever its place is for."""
    return key_of(name) in _GENERIC or (kind == "unit" and usual_label(name) == "service")


def _named_arguments(words: Sequence[Word]) -> Iterator[tuple[Word, int, str]]:
    """The words of a command that name something of a known kind, with the offset of the name in
    the word and the label of that kind."""
    at = 0
    while at < len(words) and (
        words[at].text in _KEYWORDS or words[at].text == "sudo" or _ASSIGNMENT.match(words[at].text)
    ):
        at += 1
    if at < len(words) and _name(words[at]) in _UNIT_COMMANDS:
        for before, word in pairwise(words[at:]):
            if _BEFORE_UNIT.fullmatch(before.text) and _may_be_name(word):
                yield word, 0, "unit"
        return
    if at >= len(words) or _name(words[at]) not in _CLUSTER_LIKE:
        return
    creates = any(word.text in _CREATES for word in words[at:])
    kind = ""  # of the next argument
    for before, word in pairwise(words[at:]):
        option = _OPTION_KINDS.get(before.text, "")
        divider = max(word.text.find("="), word.text.find("/"))
        if word.text == "--":
            return
        if option or divider >= 0:
            of_prefix = "" if creates else _kind(word.text[:divider])
            expected = option or _OPTION_KINDS.get(word.text[:divider], of_prefix)
        elif word.text.startswith("-") or (
            before.text.startswith("-") and before.text not in _FLAGS and "=" not in before.text
        ):
            continue  # an option, or perhaps the value of one
        else:
            expected = "" if creates else kind
            kind = _kind(word.text) or _VERB_KINDS.get(word.text, "")
        if expected and _may_be_name(word):
            yield word, divider + 1, expected


def _kind(text: str) -> str:
    """The label of a kind of resource; "" for other words, such as `NODE`, which the reader
    replaces."""
    return "" if text.isupper() else _KINDS.get(text.lower(), "")


def _may_be_name(word: Word) -> bool:
    """Whether a word is a placeholder, or plain text that may be one by its place."""
    is_plain = word.end - word.start == len(word.text) and not word.quoted
    return not word.odd and (bool(word.placeholders) or is_plain)


def judge_document(words: Sequence[Word], body: Word) -> None:
    """Set the contexts of the placeholders in the here-document of a command."""
    _source(body, {_name(word) for word in words})


def _name(word: Word) -> str:
    return word.literal.rsplit("/", 1)[-1]


def _judge(words: Sequence[Word]) -> bool:
    first, rest = words[0], words[1:]
    name = _name(first)
    if not _COMMAND.fullmatch(first.literal) or first.odd or name in _REFUSED:
        return True
    if name in _WRAPPERS:
        return _wrapped(name, rest)
    if name == "gcloud":
        return _gcloud(rest)
    if name in _REMOTE:
        return _remote(rest)
    if name in _INTERPRETERS:
        return _interpreter(name, rest)
    if name in _CLUSTER | _ENGINES and any(word.text in _INSIDE for word in rest):
        return _inside(name, rest)
    for at, word in enumerate(rest if name not in _HARMLESS_SHORT else ()):
        if _name(word) in _INTERPRETERS | _WRAPPERS.keys():
            _arguments(name, rest[:at])
            _interpreter(_name(word), rest[at + 1 :])
            return True
    _arguments(name, rest)
    return False


def _wrapped(name: str, words: Sequence[Word]) -> bool:
    """The command after `sudo` and the like."""
    at = 0
    while at < len(words):
        text = words[at].text
        if text in _WRAPPERS[name]:
            at += 2
        elif text.startswith("-") or _ASSIGNMENT.match(text):
            at += 1
        else:
            break
    at += name in _WORD_FIRST
    if at >= len(words) or (name == "xargs" and _replaces(words[:at])):
        return True
    return _judge(words[at:]) or name == "watch"


def _replaces(options: Sequence[Word]) -> bool:
    """Whether `xargs` replaces text that a value could contain."""
    return any(
        (option.text in ("-I", "-i") and value.text not in ("{}", "%"))
        or re.match(r"-[Ii](?!(?:\{\}|%)?\Z)|--replace=(?!(?:\{\}|%)\Z)", option.text)
        for option, value in pairwise([*options, Word()])
    )


def _remote(words: Sequence[Word]) -> bool:
    """`ssh`: the host, and the text for its shell."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in _SSH_VALUES else 1
    if at < len(words) and (words[at].exact or _is_plain(words[at])):
        words[at].put(Context.PART)  # no port
    for word in words[at + 1 :]:
        _program(word, nested=True)
    return True


def _gcloud(words: Sequence[Word]) -> bool:
    """`gcloud`: with `ssh` a machine and the text for its shell, else an ordinary command."""
    at = next((at for at, word in enumerate(words) if word.text == "ssh"), None)
    if at is None:
        _arguments("gcloud", words)
        return False
    runs = _remote(words)
    if at + 1 < len(words) and words[at + 1].exact:
        words[at + 1].put(Context.PART)
    return runs


def _inside(name: str, words: Sequence[Word]) -> bool:
    """`kubectl exec` and `docker exec`: the container, and the command that runs there."""
    split = next((at for at, word in enumerate(words) if word.literal == "--"), None)
    if split is not None:
        _arguments(name, words[:split])
        if split + 1 < len(words):
            return _judge(words[split + 1 :])
        return True
    at = next(at for at, word in enumerate(words) if word.text in _INSIDE) + 1
    _arguments(name, words[:at])
    if name in _CLUSTER and words[at - 1].text == "debug":
        _arguments(name, words[at:])  # without `--` it runs no command
        return True
    if words[at - 1].text in ("run", "create"):
        for option, value in pairwise(words[at:] if name in _CLUSTER else ()):
            if _OPTION_KINDS.get(option.text) == "namespace" and value.exact:
                value.put(Context.ARGUMENT)
        return True
    return _inside_undivided(name, words, at)


def _inside_undivided(name: str, words: Sequence[Word], at: int) -> bool:
    """Options, the container, and its command, without `--` between them."""
    values = _CLUSTER_VALUES if name in _CLUSTER else _ENGINE_VALUES
    while at < len(words):
        text = words[at].text
        if text in values:
            if at + 1 < len(words) and words[at + 1].exact and name in _CLUSTER:
                words[at + 1].put(Context.ARGUMENT)
            at += 2
        elif text.startswith("-"):
            at += 1
        else:
            break
    if at < len(words) and words[at].exact:
        words[at].put(Context.ARGUMENT)
    rest = words[at + 1 :]
    if rest and name in _CLUSTER and rest[0].text.startswith("-"):
        # Without `--`, options of either command may follow: fill only the known ones.
        for option, value in pairwise(rest):
            if option.text in values and value.exact:
                value.put(Context.ARGUMENT)
        return True
    return _judge(rest) if rest else True


def _arguments(name: str, words: Sequence[Word]) -> None:
    """The arguments of a command that is not an interpreter."""
    searches = name in _SEARCHERS and not any(_FIXED.fullmatch(word.text) for word in words)
    ran = False
    for at, word in enumerate(words):
        option = words[at - 1].text if at else ""
        ran = ran or option in ("-exec", "-execdir", "-ok", "-okdir")
        if not word.placeholders or ran:
            continue
        if searches:
            if word.exact or _is_plain(word):
                word.put(Context.LITERAL)
        elif word.exact and name in _HOSTS and not option.startswith("-"):
            word.put(Context.PART)
        elif word.exact:
            harmless = name in _HARMLESS_SHORT and not option.startswith("--")
            if _SEARCHING.fullmatch(option) or (name, option) == ("journalctl", "-g"):
                word.put(Context.LITERAL)
            elif name not in _WRITERS and (harmless or not _runs(name, option)):
                word.put(_of_option(option, word))
        elif (long := _LONG_OPTION.fullmatch(word.text)) and not word.odd:
            if not _runs(name, long[1]):
                searching = _SEARCHING.fullmatch(long[1])
                word.put(Context.LITERAL if searching else _of_option(long[1], word))
        elif _is_plain(word) or (name == "echo" and not word.odd):
            word.put(Context.PART)
        else:
            _program(word)


def _of_option(option: str, word: Word) -> Context:
    """The context of a placeholder that is the value of an option: an instance as a host has no
    port, since that would be the port of an exporter."""
    if option in _HOST_OPTIONS and usual_label(word.placeholders[0].name) == "instance":
        return Context.PART
    return Context.ARGUMENT


def _runs(name: str, option: str) -> bool:
    """Whether a command may run the value of this option."""
    return _RUN.fullmatch(option) is not None or option in _RUN_BY.get(name, ())


def _is_plain(word: Word) -> bool:
    """Whether a word is a plain argument, and no placeholder in it a part of an option's name."""
    before = SLOT.split(word.text, maxsplit=1)[0]
    return not word.odd and bool(_PLAIN.fullmatch(word.text)) and not _OPTION_NAME.fullmatch(before)


def _interpreter(name: str, words: Sequence[Word]) -> bool:
    """The arguments of an interpreter: each may be a program."""
    declared = {
        value.literal
        for option, value in pairwise(words)
        if option.text in ("--arg", "--argjson", "--slurpfile", "--rawfile")
    }
    for at, word in enumerate(words):
        if not word.placeholders:
            continue
        option = words[at - 1].text if at else ""
        passed = at > 1 and words[at - 2].text == "--arg"
        if word.exact:
            if passed or (name in _DATABASES and option in _DATA_OPTIONS):
                word.put(_of_option(option, word))
            continue
        long = _LONG_OPTION.fullmatch(word.text)
        if long and not word.odd:
            if name in _DATABASES and long[1] in _DATA_OPTIONS:
                word.put(_of_option(long[1], word))
            continue
        if name in ("sed", "gsed", "ed", "ex"):
            for each in word.placeholders:  # the last line, as in `/x/,$p`
                each.own = each.raw and not each.spelled and len(each.name) == 1
            continue  # nearly all text there is a pattern
        _source(word, {name}, declared, nested=name in _SHELLS)
    return True


def _source(
    word: Word, names: Set[str], declared: Set[str] = frozenset(), *, nested: bool = False
) -> None:
    """A program's text, or the input of one of these commands."""
    mongo = not names.isdisjoint(_MONGO)
    database = not mongo and not names.isdisjoint(_DATABASES)
    language = not names.isdisjoint(_LANGUAGES)
    variables = [each for each in word.placeholders if not each.spelled]
    own = {each.name for each in variables} if "envsubst" in names else set(declared)
    for sign in SLOT.finditer(word.text):
        before = word.text[max(0, sign.start() - _NEAR) : sign.start()]
        after = word.text[sign.end() : sign.end() + _NEAR]
        if (
            (mongo and _KEY_BEFORE.search(before) and _KEY_AFTER.match(after))
            or (database and after.startswith("$"))  # the tag of a string in dollars
            or (
                not mongo
                and not database
                and language
                and (_DECLARES.search(before) or _ASSIGNS.match(after))
            )
        ):
            own.add(word.at(sign).name)
    for each in variables:
        each.own = each.raw and each.name in own
    _program(word, database=database, slashes=mongo or language, nested=nested)
    if not names.isdisjoint(_UNKNOWN_IS_ZERO):
        for each in word.placeholders:
            each.computed = each.context is not Context.PART or each.computed


def _program(
    word: Word, *, database: bool = False, slashes: bool = False, nested: bool = False
) -> None:
    """Text of another language: a plain name in its quotes, a number elsewhere, and nothing in
    patterns or where the quotes are unclear."""
    text = SLOT.sub(lambda s: f"${word.at(s).name}" if word.at(s).own else s[0], word.text)
    if word.odd or _PATTERN.search(text) or (slashes and "/" in text):
        return
    # In SQL, double quotes make a column name: `name = "name"` is true of every row.
    quotes = "'" if (database or _SQL.search(text)) and not nested else "\"'"
    for line in word.text.split("\n"):
        for sign, quoted in _quoted(line, quotes):
            if word.at(sign).in_brace:  # many languages have a use for braces
                continue
            if quoted:
                word.at(sign).context = Context.PART
            elif not _AFTER_REDIRECTION.search(line[max(0, sign.start() - _NEAR) : sign.start()]):
                word.at(sign).context = Context.NUMBER


def _quoted(line: str, quotes: str) -> Iterator[tuple[re.Match[str], bool]]:
    """The signs of a line that may be filled, and whether each is in quotes: in quotes only in
    plain words, and none of a line whose quotes do not close."""
    found: list[tuple[re.Match[str], bool]] = []
    at = 0
    while at < len(line):
        char = line[at]
        if char == "\\":
            at += 2
        elif char == "`":
            return
        elif char in "\"'":
            close = line.find(char, at + 1)
            if close < 0:
                return
            inside = line[at + 1 : close]
            if char in quotes and _QUOTABLE.fullmatch(inside):
                found += [(match, True) for match in SLOT.finditer(line, at + 1, close)]
            at = close + 1
        else:
            if match := SLOT.match(line, at):
                found.append((match, False))
            at += 1
    yield from found
