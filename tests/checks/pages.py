"""The pages of docs/checks: their parts, and the workspace in which their examples are checked.

`python -m tests.checks.pages` rewrites the tables of docs/checks/README.md.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner

from alert_router.cli import main
from alert_router.runbook import STANDARD_SECTIONS

DIRECTORY = Path(__file__).parents[2] / "docs" / "checks"
INDEX = DIRECTORY / "README.md"

MAIN = """\
receivers:
  - name: oncall
    notifiers:
      - type: console
"""
ROUTING = """\
runbooks:
  - matchers: ['alertname="Example"']
    runbook: alerts/example
route:
  receiver: oncall
"""
RULES = "config/rules.yaml"
_FILE = re.compile(r"`(?P<name>[\w./-]+)`")
_FENCE = re.compile(r"(?P<fence>`{3,})(?P<language>\w*)")
_PROBLEM = re.compile(r"\S.*: (?:error|warning|info): .* \[(?P<code>[a-z0-9-]+)\]")


@dataclass(frozen=True)
class Example:
    """Files by name, and the problems expected in them, as text."""

    files: dict[str, str]
    expected: str


@dataclass(frozen=True)
class Page:
    code: str
    summary: str
    severity: str
    bad: Example
    good: Example


def runbook() -> str:
    """A runbook without problems, today."""
    today = datetime.now(UTC).date()
    front = (
        "---\ntitle: Example\ncategory: alerts\nseverity: warning\nowner: SRE Team\n"
        f"last_updated: {today}\nreview_interval: 90d\ntags: [example]\n---\n\n# Example\n"
    )
    sections = (f"\n## {name}\n\n1. About {name.lower()}.\n" for name in STANDARD_SECTIONS)
    return front + "".join(sections)


def pages() -> list[Page]:
    """All pages, by code."""
    return [_page(path) for path in sorted(DIRECTORY.glob("*.md")) if path != INDEX]


def _page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition("\n## Bad\n")
    bad, _, good = rest.partition("\n## Good\n")
    words = re.fullmatch(r"# \S+\n\n(.*?)\n\nSeverity: (\w+)\.\n?", head, re.DOTALL)
    assert words, f"{path}: expected `# code`, what it means, `Severity: warning.`"
    assert head.startswith(f"# {path.stem}\n"), path
    return Page(path.stem, words[1], words[2], _example(bad), _example(good))


def _example(text: str) -> Example:
    files: dict[str, str] = {}
    expected, name = "", ""
    lines = iter(text.split("\n"))
    for line in lines:
        fence = _FENCE.fullmatch(line)
        if file := _FILE.fullmatch(line):
            name = file["name"]
        elif fence:
            inner = []
            while (inside := next(lines)) != fence["fence"]:
                inner.append(inside)
            if name:
                files[name], name = "\n".join([*inner, ""]), ""
            elif fence["language"] == "text":
                expected = "\n".join(inner)
    return Example(files, expected)


def lay_out(directory: Path, files: dict[str, str]) -> None:
    """Write the clean workspace, with these files added or replaced."""
    clean = {
        "config/alert-router.yaml": MAIN,
        "config/routing.yaml": ROUTING,
        "runbooks/alerts/example.md": runbook(),
    }
    for name, text in (clean | files).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def check(rules: str = RULES, *more: str) -> dict[str, str]:
    """The output of `check` in the working directory, by code."""
    words = ["check", "--config", "config/alert-router.yaml", *more]
    if rules != RULES or Path(RULES).exists():
        words += ["--rules", rules]
    result = CliRunner().invoke(main, words)
    assert isinstance(result.exception, SystemExit | None), result.exception
    reported: dict[str, list[str]] = {}
    code = ""
    for line in result.stdout.splitlines()[:-1]:  # the last one counts
        if problem := _PROBLEM.fullmatch(line):
            code = problem["code"]
        reported.setdefault(code, []).append(line)
    return {code: "\n".join(lines) for code, lines in reported.items()}


def tables(found: list[Page]) -> str:
    """The tables of the index: a heading for each prefix, a line for each code."""
    groups: dict[str, list[Page]] = {}
    for page in found:
        groups.setdefault(page.code.partition("-")[0].replace("runbooks", "runbook"), []).append(
            page
        )
    parts = []
    for prefix, group in sorted(groups.items()):
        rows = "\n".join(_row(page) for page in group)
        parts.append(f"## {prefix}\n\n| code | severity | |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(page: Page) -> str:
    words = " ".join(page.summary.split())
    ends = (at.start() for at in re.finditer(r"[.:]\s", words + " "))
    sentence = words[: next(at for at in ends if words.count("`", 0, at) % 2 == 0)]
    return f"| [`{page.code}`]({page.code}.md) | {page.severity} | {sentence} |"


def index(text: str, found: list[Page]) -> str:
    """The index with up-to-date tables."""
    return text.partition("\n## ")[0].rstrip("\n") + "\n\n" + tables(found)


if __name__ == "__main__":
    INDEX.write_text(index(INDEX.read_text(encoding="utf-8"), pages()), encoding="utf-8")
