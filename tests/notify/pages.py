"""The table of notifiers in docs/notifiers/README.md, from the registry and the pages.

`python -m tests.notify.pages` writes it.
"""

import re
from pathlib import Path

from alert_router.notify.registry import NOTIFIERS

PAGES = Path(__file__).parents[2] / "docs" / "notifiers"
README = PAGES / "README.md"
_TABLE = re.compile(r"^\| type \| sends to \|\n\|---\|---\|\n(?:\|.*\n)*", re.MULTILINE)


def page(type_: str) -> str:
    return (PAGES / f"{type_}.md").read_text(encoding="utf-8")


def first_sentence(type_: str) -> str:
    """What the page says first, after its title."""
    paragraph = page(type_).split("\n\n")[1].replace("\n", " ")
    return re.split(r"(?<=\.)\s", paragraph)[0]


def with_table(text: str) -> str:
    """The README with its table as it should be."""
    rows = [f"| [`{type_}`]({type_}.md) | {first_sentence(type_)} |\n" for type_ in NOTIFIERS]
    table = "| type | sends to |\n|---|---|\n" + "".join(rows)
    return _TABLE.sub(lambda _: table, text, count=1)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
