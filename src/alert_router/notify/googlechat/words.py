"""Google Chat's markup: what words, code and links are in it.

Chat has no escapes, so a character that would format is replaced by one that looks like it, and
a code block that cannot be shown exactly is left to the runbook's page.
"""

import re

from alert_router.markdown import Emphasis, Strike, Strong, visible
from alert_router.notify.chatmarkup import Flavour
from alert_router.notify.links import encoded

LEFT = "(A command that Chat would change: see the runbook's page.)"

_LONGEST_URL = 1800  # characters, encoded
# developers.google.com, Chat, "Format messages": what formats, and what links and mentions.
_LOOKALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ"})
_IN_LABEL = str.maketrans({"<": "‹", ">": "›", "|": "¦"})
_UNDERSCORE = re.compile(r"(?<!\w)_|_(?!\w)")
_OPENING = re.compile(r"<(?!\s)")
_OBEYED = re.compile(r"<(?=\s*(?:users/|customEmojis/|https?:|mailto:))", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^/]|mailto:.", re.IGNORECASE)
_STARTING = re.compile(r"^(?=\s*[->])")


def literal(text: str) -> str:
    """Words on one line in which no character formats, links or mentions."""
    words = visible(text.replace("\r", " ").replace("\n", " ")).translate(_LOOKALIKES)
    return _OPENING.sub("‹", _UNDERSCORE.sub("ˍ", words))


def code_span(text: str) -> str:
    """Words as code on a line; there is no way to write a backtick in it."""
    words = visible(text.replace("\r", " ").replace("\n", " ")).replace("`", "ˋ")
    words = _OBEYED.sub("‹", words)
    return f"`{words}`" if words.strip() else words


def code_block(text: str, _language: str = "") -> str:
    """A whole code block, or a sentence where Chat would not show exactly this."""
    shown = visible(text)
    if "```" in shown or _OBEYED.search(shown):
        return LEFT
    return f"```\n{shown}\n```"


def link(url: str, label: str) -> str:
    """`<url|label>`; only the label where the address is none for a browser."""
    words = literal(label).translate(_IN_LABEL).strip()
    address = encoded(url)
    if not _ADDRESS.match(url) or len(address) > _LONGEST_URL:
        return words
    return f"<{address}|{words}>" if words else f"<{address}>"


def unlisted(line: str) -> str:
    """A line of markup that Chat takes for no item of a list and no quote."""
    return _STARTING.sub("\u200b", line)


FLAVOUR = Flavour(
    marks={Strong: "*", Emphasis: "_", Strike: "~"},
    literal=literal,
    code_span=code_span,
    code_block=code_block,
    link=link,
    begun=unlisted,
    markup=re.compile(r"[*~`<\n]|(?<!\w)_|_(?!\w)"),
    indent="    ",
)
