"""Which kind of value may stand in a word of a simple command, by what that command does with it.

Everything is refused unless it is on the list: a whole argument, an option's value, or a part of
a plain argument. Text in another language (SQL, awk, JSON, a nested shell, a here-document) takes
a plain name within its own quotes and a number elsewhere.
"""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise

from alert_router.enrich.placeholder import Place

# Signs for what a word holds besides text; both are of Unicode's private areas.
OPAQUE = "\ue000"  # a variable or a substitution
_FIRST_SLOT = 0xF0000
_SLOT_RANGE = "[\U000f0000-\U000ffffd]"
SLOT = re.compile(_SLOT_RANGE)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# They run what they read or are given: as text, as a file, or on another machine.
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
# A word that they do not know counts as 0 or as nothing, where it is no mistake.
_UNKNOWN_IS_ZERO = _set("awk gawk mawk nawk perl php bc dc")
_INTERPRETERS = _SHELLS | _REMOTE | _DATABASES | _LANGUAGES
# These only pass on what flows through them: it is data to their program.
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
# They run the command that follows; these of their options take a word.
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
_WORD_FIRST = frozenset(("timeout",))  # a duration stands before the command
_CLUSTER = _set("kubectl oc k kubecolor")
_ENGINES = _set("docker podman nerdctl crictl docker-compose lxc incus ctr")
_INSIDE = _set("exec run debug rsh create attach")
_CLUSTER_VALUES = _set(
    "-n --namespace -c --container --context --cluster --kubeconfig -f --filename --user"
)
_ENGINE_VALUES = _set("-e -u -w --env --user --workdir --env-file --detach-keys")
_SSH_VALUES = frozenset(f"-{letter}" for letter in "bcDEeFIiJLlmOopQRSWwB")
# Options whose word is run, or says where to read what is run.
_RUN = re.compile(
    r"-(?:exec|execdir|ok|okdir|c|e|K|I|F|o|x)"
    r"|--(?:exec|eval|execute|command|rsh|rsync-path|to-command|use-compress-program|config"
    r"|pager|editor|plugin|hook|script|checkpoint-action|post-renderer)"
)
_RUN_BY = {"scp": _set("-S"), "sftp": _set("-S -D"), "man": _set("-P -H"), "tcpdump": _set("-z")}
# Options whose word is a regular expression.
_SEARCHING = re.compile(r"-i?regex|--grep|--regexp?|--match|--pattern")
# What takes `-c`, `-e`, `-o` and their like for something harmless.
_HARMLESS_SHORT = _CLUSTER | _ENGINES | _set("stern helm logcli promtool velero k9s argocd flux")
# Options of database clients whose word is data.
_DATA_OPTIONS = _set("-h -p -P -U -u -d -D -n --host --port --user --username --dbname --database")

# A whole argument of theirs is a file to write to, as behind `>`.
_WRITERS = _set("tee sponge")

_COMMAND = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=", re.ASCII)
_LONG_OPTION = re.compile(rf"(--[A-Za-z][\w-]*)={_SLOT_RANGE}", re.ASCII)
_PLAIN = re.compile(rf"(?:[\w./:@,=+%-]|{OPAQUE}|{_SLOT_RANGE})+")
_OPTION_NAME = re.compile(r"[-+][^=]*")
_QUOTABLE = re.compile(rf"(?:[\w./:@+-]|{_SLOT_RANGE})+", re.ASCII)
_BARE_AFTER_REDIRECTION = re.compile(r"[<>&|!\\$]\s*\Z")

# Where a value would be a pattern: nothing there is filled.
_PATTERN = re.compile(
    r"~|\b(?:i?like|similar|regexp?\w*|rlike|glob|match\w*|test|g?sub|scan|capture|splits?|search"
    r"|compile|findall|wildcard|query_string|prefix)\b|\bre\.",
    re.IGNORECASE,
)
_SLASHED = re.compile(r"/")  # where a regular expression stands between slashes
_SQL = re.compile(
    r"\b(?:select|update|delete|insert|alter|drop|where|truncate|grant|vacuum)\b", re.IGNORECASE
)
_KEY_BEFORE = re.compile(r"[{,]\s*[\"']?\Z")
_KEY_AFTER = re.compile(r"[\"']?\s*:")
_DECLARES = re.compile(r"\bas\s+\Z|\b(?:my|our|foreach|for)\s*\(?\s*\Z")
_ASSIGNS = re.compile(r"\s*(?:[-+*/.|&?]|\|\||//)?=(?![=~])")


def slot_sign(number: int) -> str:
    """The character for a word's placeholder of that number."""
    return chr(_FIRST_SLOT + min(number, 0xFFFD))


@dataclass(slots=True, eq=False)
class Word:
    """A word without its quotes, each placeholder one sign. `odd`: unquoted, it holds what the
    shell expands to something else.

    `marks` and `names` are those of its placeholders; by their numbers, `raw` are those of which
    the shell makes nothing, `own` the variables of the program in which they stand, `computed`
    those for which a word would count as 0.
    """

    text: str = ""
    quoted: bool = False
    odd: bool = False
    marks: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    raw: set[int] = field(default_factory=set)
    own: set[int] = field(default_factory=set)
    computed: set[int] = field(default_factory=set)
    _places: dict[int, Place] = field(default_factory=dict)

    @property
    def literal(self) -> str:
        """The text, if it is known to the letter; else ""."""
        return "" if self.marks or OPAQUE in self.text else self.text

    @property
    def exact(self) -> bool:
        """Whether it is one placeholder and nothing else."""
        return len(self.text) == 1 and len(self.marks) == 1 and not self.odd

    def put(self, place: Place) -> None:
        """Give all its placeholders a place."""
        self._places = dict.fromkeys(range(len(self.marks)), place)

    def put_one(self, number: int, place: Place) -> None:
        """Give one of its placeholders a place."""
        self._places[number] = place

    def place(self, number: int) -> Place:
        """Where a placeholder stands."""
        return self._places.get(number, Place.NOWHERE)


def is_simple(words: Sequence[Word]) -> bool:
    """Whether the shell surely parses these words as a simple command."""
    return not any(w.odd or (not w.quoted and w.text in _KEYWORDS | _REFUSED) for w in words)


def closes_group(words: Sequence[Word]) -> bool:
    """Whether a command ends a loop, a condition or a group."""
    return bool(words) and words[0].text in _CLOSERS and not words[0].quoted


def reads_program(words: Sequence[Word]) -> bool:
    """Whether what flows into a command may be a program to it."""
    names = {_name(word) for word in words}
    return not names.isdisjoint(_INTERPRETERS - _FILTERS) or any(
        not word.literal for word in words[:1]
    )


def judge(words: Sequence[Word]) -> bool:
    """Give each placeholder of a command its place. Returns whether the command may run what it
    is given, so that nothing within its substitutions is filled either."""
    at = 0
    while at < len(words) and not words[at].quoted and words[at].text in _KEYWORDS:
        at += 1
    while at < len(words) and _ASSIGNMENT.match(words[at].text):
        at += 1
    return at < len(words) and _judge(words[at:])


def judge_document(words: Sequence[Word], body: Word) -> None:
    """Give the placeholders of a here-document their places."""
    names = {_name(word) for word in words}
    _source(body, names)


def _name(word: Word) -> str:
    return word.literal.rsplit("/", 1)[-1]


def _judge(words: Sequence[Word]) -> bool:
    first, rest = words[0], words[1:]
    name = _name(first)
    if not _COMMAND.fullmatch(first.literal) or first.odd or name in _REFUSED:
        return True
    if name in _WRAPPERS:
        return _wrapped(name, rest)
    if name in _REMOTE and (name != "gcloud" or any(word.text == "ssh" for word in rest)):
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
    """The command behind `sudo` and its like."""
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
    """Whether `xargs` replaces something that a value could hold."""
    return any(
        (option.text in ("-I", "-i") and value.text not in ("{}", "%"))
        or re.match(r"-[Ii][^{%]", option.text)
        for option, value in pairwise([*options, Word()])
    )


def _remote(words: Sequence[Word]) -> bool:
    """`ssh`: the host, and what the shell there reads."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in _SSH_VALUES else 1
    if at < len(words) and (words[at].exact or _is_plain(words[at])):
        words[at].put(Place.WHOLE if words[at].exact else Place.JOINED)
    for word in words[at + 1 :]:
        _program(word, nested=True)
    return True


def _inside(name: str, words: Sequence[Word]) -> bool:
    """`kubectl exec` and `docker exec`: which container, and the command that runs there."""
    split = next((at for at, word in enumerate(words) if word.literal == "--"), None)
    if split is not None:
        _arguments(name, words[:split])
        if split + 1 < len(words):
            return _judge(words[split + 1 :])
        return True
    values = _CLUSTER_VALUES if name in _CLUSTER else _ENGINE_VALUES
    at = next(at for at, word in enumerate(words) if word.text in _INSIDE) + 1
    _arguments(name, words[:at])
    if words[at - 1].text in ("run", "create"):
        return True
    while at < len(words):
        text = words[at].text
        if text in values:
            if at + 1 < len(words) and words[at + 1].exact and name in _CLUSTER:
                words[at + 1].put(Place.WHOLE)
            at += 2
        elif text.startswith("-"):
            at += 1
        else:
            break
    if at < len(words) and words[at].exact:
        words[at].put(Place.WHOLE)
    rest = words[at + 1 :]
    if rest and name in _CLUSTER and rest[0].text.startswith("-"):
        # Without `--`, options of either command may follow here: only those that are known.
        for option, value in pairwise(rest):
            if option.text in values and value.exact:
                value.put(Place.WHOLE)
        return True
    return _judge(rest) if rest else True


def _arguments(name: str, words: Sequence[Word]) -> None:
    """The arguments of a command that is no interpreter."""
    searches = name in _SEARCHERS and not any(_FIXED.fullmatch(word.text) for word in words)
    ran = False
    for at, word in enumerate(words):
        option = words[at - 1].text if at else ""
        ran = ran or option in ("-exec", "-execdir", "-ok", "-okdir")
        if not word.marks or ran:
            continue
        if searches:
            if word.exact or _is_plain(word):
                word.put(Place.LITERAL)
        elif word.exact:
            harmless = name in _HARMLESS_SHORT and not option.startswith("--")
            if _SEARCHING.fullmatch(option) or (name, option) == ("journalctl", "-g"):
                word.put(Place.LITERAL)
            elif name not in _WRITERS and (harmless or not _runs(name, option)):
                word.put(Place.WHOLE)
        elif (long := _LONG_OPTION.fullmatch(word.text)) and not word.odd:
            if not _runs(name, long[1]):
                word.put(Place.LITERAL if _SEARCHING.fullmatch(long[1]) else Place.WHOLE)
        elif _is_plain(word) or (name == "echo" and not word.odd):
            word.put(Place.JOINED)
        else:
            _program(word)


def _runs(name: str, option: str) -> bool:
    """Whether a command may run the word of this option, or read there what it runs."""
    return _RUN.fullmatch(option) is not None or option in _RUN_BY.get(name, ())


def _is_plain(word: Word) -> bool:
    """Whether a word is a plain argument with placeholders in it, none of which makes up an
    option's name."""
    if word.odd or not _PLAIN.fullmatch(word.text):
        return False
    before = SLOT.split(word.text, maxsplit=1)[0]
    return not _OPTION_NAME.fullmatch(before)


def _interpreter(name: str, words: Sequence[Word]) -> bool:
    """The arguments of what takes a program: each may be one."""
    declared = {
        value.literal
        for option, value in pairwise(words)
        if option.text in ("--arg", "--argjson", "--slurpfile", "--rawfile")
    }
    for at, word in enumerate(words):
        if not word.marks:
            continue
        option = words[at - 1].text if at else ""
        passed = at > 1 and words[at - 2].text == "--arg"
        if word.exact:
            if passed or (name in _DATABASES and option in _DATA_OPTIONS):
                word.put(Place.WHOLE)
            continue
        long = _LONG_OPTION.fullmatch(word.text)
        if long and not word.odd:
            if name in _DATABASES and long[1] in _DATA_OPTIONS:
                word.put(Place.WHOLE)
            continue
        if name in ("sed", "gsed", "ed", "ex"):
            continue  # nearly everything there is a pattern
        _source(word, {name}, declared, nested=name in _SHELLS)
    return True


def _source(
    word: Word, names: Set[str], declared: Set[str] = frozenset(), *, nested: bool = False
) -> None:
    """A program's text, or what is piped into one of these commands."""
    mongo = not names.isdisjoint(_MONGO)
    _note_own(word, names, declared)
    _program(
        word,
        database=not mongo and not names.isdisjoint(_DATABASES),
        slashes=mongo or not names.isdisjoint(_LANGUAGES),
        nested=nested,
    )
    if not names.isdisjoint(_UNKNOWN_IS_ZERO):
        word.computed.update(
            number for number in range(len(word.marks)) if word.place(number) is not Place.JOINED
        )


def _note_own(word: Word, names: Set[str], declared: Set[str]) -> None:
    """Note the variables of the program itself, where the shell leaves them to it: declared for
    it, set in it, or of its language."""
    own = set(declared) if "envsubst" not in names else set(word.names)
    is_own: object
    for match in SLOT.finditer(word.text):
        number = ord(match[0]) - _FIRST_SLOT
        before, after = word.text[: match.start()], word.text[match.end() :]
        if not names.isdisjoint(_MONGO):
            is_own = _KEY_BEFORE.search(before) and _KEY_AFTER.match(after)
        elif not names.isdisjoint(_DATABASES):
            is_own = after.startswith("$")  # the tag of a string in dollars
        elif not names.isdisjoint(_LANGUAGES):
            is_own = _DECLARES.search(before) or _ASSIGNS.match(after)
        else:
            is_own = False
        if is_own and number < len(word.names):
            own.add(word.names[number])
    word.own.update(number for number in word.raw if word.names[number] in own)


def _program(
    word: Word, *, database: bool = False, slashes: bool = False, nested: bool = False
) -> None:
    """Text of another language: within its quotes a plain name, elsewhere a number, in patterns
    and wherever the quotes are in doubt nothing."""
    text = SLOT.sub(lambda match: _shown(word, match), word.text)
    if word.odd or _PATTERN.search(text) or (slashes and _SLASHED.search(text)):
        return
    # In SQL, double quotes make a column's name: `name = "name"` is true of every row.
    quotes = "'" if (database or _SQL.search(text)) and not nested else "\"'"
    for line in word.text.split("\n"):
        for match, quoted in _quoted(line, quotes):
            number = ord(match[0]) - _FIRST_SLOT
            if number >= len(word.marks):
                continue
            if quoted:
                word.put_one(number, Place.JOINED)
            elif not _BARE_AFTER_REDIRECTION.search(line[: match.start()]):
                word.put_one(number, Place.NUMBER)


def _shown(word: Word, slot: re.Match[str]) -> str:
    """The name of a variable of the program itself, any other placeholder as it is."""
    number = ord(slot[0]) - _FIRST_SLOT
    return f"${word.names[number]}" if number in word.own else slot[0]


def _quoted(line: str, quotes: str) -> Iterator[tuple[re.Match[str], bool]]:
    """The placeholders of a line that may be filled, and whether each stands in quotes. Nothing
    of a line whose quotes do not close; in quotes only where nothing but a plain word is."""
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
