"""Where the commands of a code block stand, and what in them only holds a place for a word."""

import re

from alert_router.enrich.shell import CONSOLE_LANGUAGES, command_spans
from alert_router.markdown import Code

# A fence called `bash` is often a session: what stands behind the prompts is bash, and the rest
# is output.
_HOST = r"\[[^\]\n]{1,60}\]|[\w.-]+@[\w.-]+(?:[: ][^\s$#%]{0,60})?|[a-z][\w.-]*"
_PROMPT = re.compile(rf"^[ \t]*(?:[$%]|(?:{_HOST})[$#%])[ \t]+(?=\S)", re.MULTILINE)

# `<pod-name>`, `<POD NAME>`, `<ns/pod>`: no redirection has its file right behind the `<` and a
# `>` right behind that.
ANGLE = re.compile(r"(?<![<\w&$])<(?P<name>[A-Za-z](?:[\w .,:/|()'-]{0,60}[\w.:/)])?)>(?![>&])")
_TEMPLATE = re.compile(r"\{\{[^{}\n]{0,100}\}\}")


def is_session(code: Code) -> bool:
    """Whether a block has commands behind prompts, and output."""
    return code.language in CONSOLE_LANGUAGES or _PROMPT.search(code.text) is not None


def commands(code: Code) -> list[tuple[int, int]]:
    """Where in a block's text commands stand: everywhere, or behind the prompts of a session."""
    text = code.text
    prompts = list(_PROMPT.finditer(text))
    if not prompts:
        return command_spans(text, code.language)
    spans = []
    for prompt in prompts:
        end = prompt.end()
        while True:
            newline = text.find("\n", end)
            end = len(text) if newline < 0 else newline
            if newline < 0 or text[end - 1] != "\\":
                break
            end += 1
        spans.append((prompt.end(), end))
    return spans


def blanked(text: str) -> str:
    """The commands with an inert word for each `<name>` and `{{ ... }}`; offsets stay."""
    text = ANGLE.sub(lambda match: "x" * len(match[0]), text)
    return _TEMPLATE.sub(lambda match: "x" * len(match[0]), text)
