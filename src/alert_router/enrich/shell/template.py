"""Compiles shell code with placeholders to templates, once, and fills these for an alert, often.

A placeholder that is not filled becomes an inert word (`token`), never an expansion: if that were
empty, `rm -rf /data/$volume` would delete `/data/`.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter, itemgetter
from types import MappingProxyType

from alert_router.enrich.placeholders import (
    ANGLE,
    BRACKETED,
    DEFAULT_RULES,
    OF_DIMENSIONS,
    PLACEHOLDER,
    AlertLabels,
    Context,
    Fillable,
    in_template,
    key_of,
    lookup_name,
    may_fill,
    name_of,
    of_environment,
    token,
    usual_label,
)
from alert_router.enrich.shell.commands import OF_A_CLUSTER, OPAQUE, Placeholder
from alert_router.enrich.shell.reader import Reader
from alert_router.enrich.shell.session import command_spans

# An escaped placeholder would be expanded by a nested shell. Of those with an operator, only one
# with its own default cannot become empty.
_IN_CODE = re.compile(r"\\?(?:" + PLACEHOLDER.pattern + r")", re.ASCII)
_OPERATOR = re.compile(r"\\?\$\{[#!]?(?P<name>[A-Za-z_]\w*)(?=[^\w}])", re.ASCII)
_DEFAULT = re.compile(r"\$\{\w+:[-=][^}\s]", re.ASCII)
# A Go template in which the form of a placeholder means something else.
_GO_TEMPLATE = re.compile(r"go-template|--format|--template|\s-f[\s=]")
_CLOSING_TAG = re.compile(r"</([A-Za-z][\w.:-]*)")
_TOUCHING = re.compile(r"(?<!\$)\$(\w+|#)\Z", re.ASCII)

_NAME = r"[A-Za-z_]\w*"
_SETS = re.compile(rf"({_NAME})(?:\[[^\]]*\])?\+?=", re.ASCII)
# A placeholder, or a variable that is set to what a command prints.
_NAMED = re.compile(rf"{ANGLE.pattern}|(?<![\w$-])(?P<set>{_NAME})=\"?(?:\$\(|`)", re.ASCII)
_SETS_BY_DEFAULT = re.compile(rf"\$\{{({_NAME}):?=", re.ASCII)
_READS = re.compile(
    rf"\b(?:for|select|foreach)\s+({_NAME})\b"
    r"|\b(?:read|mapfile|readarray|getopts|unset|export|local|declare|readonly|typeset|let"
    r"|printf\s+-v)\s+([^;&|<>\n]*)",
    re.ASCII,
)
_DEFINES = re.compile(r"([\w.-]+)[ \t]*\([ \t]*\)|\b(?:function|alias)[ \t]+([\w.-]+)", re.ASCII)
_WORD = re.compile(rf"(?<![\w$=/.-]){_NAME}(?![\w/.-])", re.ASCII)
# What may set a variable, also in a block that names no language: arithmetic, an assignment or a
# list of variables in the form of another shell, of a Dockerfile or of YAML, or a name in capitals
# before `=` that is an argument.
_MAY_SET = re.compile(
    rf"\(\(\s*({_NAME})\s*(?:[-+*/%]?=(?!=)|\+\+|--)"
    rf"|(?:\A|[;{{(>])\s*(?:\[\w+\]\s*)?\$(?:\w+[:.])?({_NAME})"
    r"(?:\s+[-+*/.?]{0,2}=(?!=)|=\s*[\"'(@\[$])"
    rf"|(?<![\w-])set(?:x|[-_]?env)?(?:\s+[-/]\S+)*\s+({_NAME})\b"
    rf"|(?:\A|[;{{>])\s*(?i:env|arg)\s+({_NAME})\b"
    rf"|\bname[\"']?\s*:\s+[\"']?({_NAME})\b"
    r"|\A\s*(?:-\s+)?[\"']?([A-Z][A-Z0-9_]+)[\"']?\s*:\s"
    r"|(?<![\w$./,=?&-])([A-Z][A-Z0-9_]+)\s?[:?+]?=(?!=)",
    re.ASCII,
)
# What another language names, except where it uses a placeholder: `NS` anywhere, `$ns` where that
# is a variable of the language. It may set that in a form that is not known here.
_NAMES = re.compile(r"(?<![\w$<])(?<!\$\{)([A-Z][A-Z0-9_]+)\b", re.ASCII)
_NAMES_WITH_DOLLARS = re.compile(rf"([A-Z][A-Z0-9_]+)\b|\$\{{?(?:\w+[:.])?({_NAME})", re.ASCII)
_SAYS_SET = re.compile(
    r"\b(?i:export|set|define|assign|store|save)[^.\n$A-Z]{0,40}\$?\{?([A-Z][A-Z0-9_]+)\b", re.ASCII
)
# A file that may set any variable. Those of the user's own shell set none of a runbook's.
_SOURCES = re.compile(
    r"(?:^|[;&|(])\s*(?:source|\.)\s+(?![^\n;&|]*(?:completion|rc\b|profile|activate))\S",
    re.MULTILINE,
)
# What precedes a command: nothing, an operator, a keyword, or `sh -c '`, then perhaps a prompt and
# assignments.
_COMMAND_START = re.compile(
    r"(?:\A|[;&|()`]|\{\s|(?<![\w-])(?:do|then|else|while|until|if|!|sudo|env|time|command)\s|-\w*c\s+['\"])\s*"
    rf"(?:[\w@:~./\[\]-]*(?P<prompt>[$#%>])\s+)?(?:{_NAME}=\S*\s+)*\Z",
    re.ASCII,
)
# An operator without a command before it, or at the end.
_NO_COMMAND = re.compile(
    r"(?:\A|\n|&&|\|\||(?<!\|)\|(?!\|)&?|;|(?<!&)&(?![&>]))[ \t]*(?=[;|)]|&(?!>))|[&|]\s*\Z"
)
# Text after which the shell computes: there a word counts as 0, which may delete something.
_COMPUTES = re.compile(
    rf"\(\((?:(?!\)\)).)*\Z|\$\[[^\]]*\Z|\[\[\s(?:(?!\]\]).)*\Z"
    rf"|\$\{{{_NAME}(?:\[|:(?![-=?+]))[^}}]*\Z|\blet\s[^;&|\n]*\Z"
    r"|\b(?:declare|typeset|local|integer|readonly|export)\s[^;&|\n]*-\w*i[^;&|\n]*\Z",
    re.ASCII | re.DOTALL,
)
_LOOKBACK = 500  # characters searched for that
_LONE = {True: "see ", False: "word "}  # before a single word, by whether it may name an object
_LONGEST_LINE = 1_000  # characters of a line searched for assignments


@dataclass(frozen=True, slots=True)
class Variables:
    """The names that a runbook sets itself. `own` variables stay as written. `doubtful` ones may
    be set, or may be labels: they are neither kept nor filled. `functions` are commands that it
    defines, which may run their arguments. `in_cluster`: the runbook is about Kubernetes. `known`
    are the keys of names that are placeholders in any spelling (`<pod-name>`). `of_output` are the
    labels that output names first: what the reader finds there is meant."""

    own: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    in_cluster: bool = True
    known: frozenset[str] = DEFAULT_RULES.names
    of_output: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CommandSlot:
    """A placeholder in a command: as written and its offset, its context with the characters on
    either side, and the token used if it is not filled. `foreign`: the name means no label of an
    alert there. `namespace` is that of its command, a text or the name of a placeholder and whether
    it is spelled; "" if the command has none."""

    name: str
    written: str
    start: int
    context: Context
    before: str
    after: str
    otherwise: str
    spelled: bool = False
    foreign: bool = False
    namespace: tuple[str, bool] | str = ""

    def value(self, labels: AlertLabels) -> str | None:
        """The value that an alert has for it. None if the name means something else in this
        command, unless it is that of a dimension of CloudWatch, or if the command is about another
        namespace than the alert."""
        if self.foreign:
            return labels.get(f"{OF_DIMENSIONS}{self.name}")
        name = lookup_name(self.name, self.written, spelled=self.spelled)
        value = labels.get(name, self.spelled)
        if self.namespace:
            meant = self.namespace
            wanted = meant if isinstance(meant, str) else labels.get(*meant)
            # Where the alert names none, the reader fills in the one that is meant.
            is_own = not isinstance(meant, str) and usual_label(meant[0]) == "namespace"
            if wanted != labels.get("namespace", spelled=True) or not (wanted or is_own):
                return None
        return value

    def fill(self, value: str) -> str | None:
        """The value, if it may stand here."""
        return value if may_fill(self.context, value, self.before, self.after) else None


CommandTemplate = Fillable[CommandSlot]


@lru_cache(maxsize=16_384)  # three runbooks of a megabyte full of commands
def compile_fence(text: str, language: str, variables: Variables) -> CommandTemplate:
    """The template of shell code, whose language is "" if the block has none. `variables` are those
    of the whole runbook."""
    found = list(_placeholders(text, variables, spelled=True))
    inserted: dict[int, str] = {}
    further: list[Placeholder] = []
    for start, end in command_spans(text, language):
        reader = Reader(text, found, start, end, variables.functions, variables.known)
        reader.read()
        inserted |= reader.inserted
        further += reader.found
    for each in found:
        if each.raw and not each.spelled and in_template(text, each.start):
            each.own = text[each.start] == "$"
    tags = _tags(text)
    further = [each for each in further if each.name.lower() not in tags]
    meant_elsewhere = variables.of_output
    if not variables.in_cluster:
        meant_elsewhere |= OF_A_CLUSTER
    for each in (*found, *further):
        of_label = each.spelled or each.name.isupper()
        each.foreign |= of_label and usual_label(each.name) in meant_elsewhere
    return _build(text, sorted((*found, *further), key=attrgetter("start")), inserted)


def compile_fences(fences: Sequence[tuple[str, str]]) -> list[CommandTemplate]:
    """The templates of all shell code of a runbook, given as (text, language)."""
    variables = own_variables([text for text, _ in fences])
    return [compile_fence(text, language, variables) for text, language in fences]


def compile_inline(text: str, variables: Variables) -> CommandTemplate:
    """The template of inline code. A single word there is a name, not a command."""
    if any(char.isspace() for char in PLACEHOLDER.sub("x", text)):
        return compile_fence(text, "sh", variables)
    lone = _LONE[variables.in_cluster]
    template = compile_fence(f"{lone}{text}", "sh", variables)
    slots = list(template.slots)
    unknown = (it.spelled and key_of(it.name) not in variables.known for it in slots)
    if len(slots) > 1 and any(unknown):
        return Fillable((text,))  # a form: `<namespace>/<service-monitor>/<endpoint-id>`
    first, *rest = template.parts
    assert isinstance(first, str)
    first = first.removeprefix(lone)
    return Fillable((first, *rest) if first else tuple(rest))


def unfilled(text: str, variables: Variables, *, only_explicit: bool = False) -> CommandTemplate:
    """The template of a text in which nothing is filled. `only_explicit`: its language has
    variables like placeholders, so only `{{ $labels.name }}` is one."""
    found = [
        each
        for each in _placeholders(text, variables)
        if not only_explicit or text[each.start : each.start + 2] == "{{"
    ]
    return _build(text, found)


def own_variables(
    shell: Iterable[str],
    other: Iterable[str] = (),
    prose: Iterable[str] = (),
    foreign: Iterable[tuple[str, bool]] = (),
) -> Variables:
    """The variables that code sets or reads. In `other` code, such as inline code, `name=value`
    may be a label as well; in `prose`, names in capitals that are to be set count; of `foreign`
    code, whose language is known and no shell, all names do. With each comes whether its variables
    have a dollar."""
    own: set[str] = set()
    doubtful: set[str] = set()
    functions: set[str] = set()
    used: set[str] = set()
    sources = False
    for text in shell:
        functions.update(a or b for a, b in _DEFINES.findall(text))
        sources = sources or _SOURCES.search(text) is not None
        used.update(name_of(match) for match in PLACEHOLDER.finditer(text))
        for name, certain in _set_in(text):
            (own if certain else doubtful).add(name)
    for text in other:
        for name, certain in _set_in(text):
            (own if certain and name.isupper() else doubtful).add(name)
    for text in prose:
        doubtful.update(_SAYS_SET.findall(text))
    for text, has_dollars in foreign:
        names = _NAMES_WITH_DOLLARS if has_dollars else _NAMES
        doubtful.update(match[match.lastindex or 1] for match in names.finditer(text))
    if sources:
        doubtful.update(name for name in used if name.isupper())
    return Variables(frozenset(own), frozenset(doubtful - own), frozenset(functions))


def _set_in(text: str) -> Iterator[tuple[str, bool]]:
    """Each variable that is set, and whether that is certain: after `# ` it may be a comment."""
    for whole in text.split("\n"):
        line = whole[:_LONGEST_LINE]
        yield from ((name, True) for name in _SETS_BY_DEFAULT.findall(line))
        for match in (*_SETS.finditer(line), *_READS.finditer(line)):
            start = _COMMAND_START.search(line[: match.start()])
            if start is None:
                continue
            names = [match[1]] if match[1] else _WORD.findall(match[2])
            yield from ((name, start["prompt"] != "#") for name in names)
        for groups in _MAY_SET.findall(whole):
            yield from ((name, False) for name in groups if name)


def labels_of_output(codes: Iterable[tuple[str, str | None]]) -> frozenset[str]:
    """The labels whose placeholders stand in output, or whose variables are set to output
    (`POD=$(...)`), before a command has such a placeholder. `codes` are texts in the order of the
    runbook, each with the language of its shell ("" if the block names none), or None if all of it
    is output."""
    in_commands: set[str] = set()
    in_output: set[str] = set()
    for text, language in codes:
        spans = [] if language is None else command_spans(text, language)
        for match in _NAMED.finditer(text):
            label = usual_label(match["name"] or match["set"])
            before = bisect_right(spans, match.start(), key=itemgetter(0))
            is_command = before and match.start() < spans[before - 1][1]
            if is_command and match["name"]:
                in_commands.add(label)
            elif label not in in_commands:
                in_output.add(label)
    return frozenset(in_output - {""})


def reads_as_simple_commands(text: str) -> bool:
    """Whether a text is certainly shell: only simple commands, comments and pipelines."""
    if _NO_COMMAND.search(text):
        return False
    reader = Reader(text, [], 0, len(text))
    reader.read()
    return reader.simple


def _placeholders(
    text: str, variables: Variables, *, spelled: bool = False
) -> Iterator[Placeholder]:
    """The placeholders of a text: neither the runbook's own variables nor the environment's.
    `spelled`: also known names in other spellings."""
    at = 0
    patterns = (_IN_CODE, _OPERATOR, ANGLE, BRACKETED) if spelled else (_IN_CODE, _OPERATOR)
    found = sorted(
        (match for pattern in patterns for match in pattern.finditer(text)),
        key=lambda match: match.start(),
    )
    tags = _tags(text) if spelled else frozenset[str]()
    for match in found:
        if match.start() < at:
            continue
        if match.re is ANGLE or match.re is BRACKETED:
            placeholder = _spelled(match, variables.known, tags)
        elif match.re is _OPERATOR:
            placeholder = _with_operator(match, variables.own)
        else:
            placeholder = _plain(match, variables.own, spelled=spelled)
        if placeholder:
            at = placeholder.end
            doubtful = placeholder.name in variables.doubtful and not placeholder.spelled
            placeholder.hidden = doubtful and text[placeholder.start] != "{"
            yield placeholder


def _plain(match: re.Match[str], own: frozenset[str], *, spelled: bool) -> Placeholder | None:
    name, explicit = name_of(match), match["explicit"] is not None
    if not explicit and (name in own or of_environment(name)):
        return None
    if not (explicit or spelled) and in_template(match.string, match.start()):
        return None
    if explicit and "$" not in match[0] and _in_go_template(match):
        return None
    if name == "value" and in_template(match.string, match.start()):  # `{{ $value | humanize }}`
        return None
    return Placeholder(match.start(), match.end(), name)


def _with_operator(match: re.Match[str], own: frozenset[str]) -> Placeholder | None:
    name, text, start = match["name"], match.string, match.start()
    end = _closing(text, start)
    if name in own or of_environment(name) or not end:
        return None
    if _DEFAULT.match(text, start + (match[0][0] == "\\")):
        return None
    return Placeholder(start, end, name)


def _spelled(
    match: re.Match[str], known: frozenset[str], tags: frozenset[str]
) -> Placeholder | None:
    """A known name in angle or square brackets or braces."""
    name = match[match.lastgroup or 0]
    if key_of(name) not in known or name.lower() in tags:
        return None
    if match[0][0] == "{" and _in_go_template(match):
        return None
    in_brace = match.lastgroup == "brace"
    return Placeholder(
        match.start(), match.end(), name, spelled=True, stays=in_brace, in_brace=in_brace
    )


def _in_go_template(match: re.Match[str]) -> bool:
    start = max(match.string.rfind("\n", 0, match.start()), match.start() - _LOOKBACK, 0)
    return _GO_TEMPLATE.search(match.string, start, match.start()) is not None


def _tags(text: str) -> frozenset[str]:
    """The names of XML elements that a text closes."""
    return frozenset(name.lower() for name in _CLOSING_TAG.findall(text))


def _closing(text: str, start: int) -> int:
    """The end of `${...}` at `start`, 0 if it does not end."""
    depth = 0
    for at in range(start, min(len(text), start + 500)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth and text[at] == "}":
            return at + 1
    return 0


def _build(
    text: str,
    placeholders: Sequence[Placeholder],
    inserted: Mapping[int, str] = MappingProxyType({}),
) -> CommandTemplate:
    parts: list[str | CommandSlot] = []
    insertions = sorted(inserted.items())
    at = 0
    for each in placeholders:
        if each.own:
            continue
        # `$BASE$volume` filled with v1 must not become `$BASEv1`, another variable.
        parts.append(_TOUCHING.sub(r"${\1}", _with(text, at, each.start, insertions)))
        written = text[each.start : each.end]
        is_spelled = each.spelled and written[0] not in "$\\"  # `${NAME%-*}` is more than NAME
        plain = is_spelled or (written[0] != "\\" and PLACEHOLDER.fullmatch(written))
        computed = each.computed
        if computed is None:
            lookback = text[max(0, each.start - _LOOKBACK) : each.start]
            computed = _COMPUTES.search(lookback) is not None
        slot = CommandSlot(
            name=each.name,
            written=written,
            start=each.start,
            context=each.context if plain and not (each.in_brace and each.raw) else Context.NONE,
            before=text[max(0, each.start - 1) : each.start],
            after=text[each.end : each.end + 1],
            otherwise=written if each.stays else token(each.name, fails=computed),
            spelled=each.spelled,
            foreign=each.foreign,
            namespace=_namespace(each),
        )
        parts.append(slot.otherwise if each.hidden else slot)
        at = each.end
    parts.append(_with(text, at, len(text), insertions))
    return Fillable(tuple(part for part in parts if part != ""))


def _namespace(each: Placeholder) -> tuple[str, bool] | str:
    meant = each.namespace
    if isinstance(meant, Placeholder):
        return OPAQUE if meant.foreign else (meant.name, meant.spelled)
    return meant


def _with(text: str, start: int, end: int, insertions: Sequence[tuple[int, str]]) -> str:
    """A part of a text, with the insertions in it. `insertions` are sorted by offset."""
    parts = []
    first = bisect_left(insertions, start, key=itemgetter(0))
    last = bisect_right(insertions, end, key=itemgetter(0))
    for at, inserted in insertions[first:last]:
        parts += [text[start:at], inserted]
        start = at
    return "".join((*parts, text[start:end]))
