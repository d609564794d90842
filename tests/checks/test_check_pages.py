"""Every code has a page, and the examples of every page are checked."""

from pathlib import Path

import pytest

from alert_router.checks.codes import SEVERITIES
from tests.checks.pages import INDEX, RULES, Page, check, index, lay_out, pages

PAGES = pages()


def _too_large(name: str, size: int) -> None:
    Path(name).write_text("# Example\n" + "x\n" * (size // 2), encoding="utf-8")


def _too_deep() -> None:
    Path("config/routing.yaml").write_text("route: " + "[" * 64 + "]" * 64, encoding="utf-8")


def _dead_link() -> None:
    Path("runbooks/alerts/example.md").unlink()
    Path("runbooks/alerts/example.md").symlink_to("gone.md")


def _no_runbooks() -> None:
    Path("runbooks/alerts/example.md").unlink()
    Path("runbooks/alerts").rmdir()
    Path("runbooks").rmdir()


def _no_bash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    text = "# Example\n\n## Detection\n\n```bash\necho $((1 + $x)) ?(a|b)\n```\n"
    Path("runbooks/alerts/example.md").write_text(text, encoding="utf-8")


# Problems that no file of a page can show.
SPECIAL = {
    "runbook-not-utf8": lambda _: Path("runbooks/alerts/example.md").write_bytes(b"# R\xe9dis\n"),
    "runbook-shell-unchecked": _no_bash,
    "runbook-too-large": lambda _: _too_large("runbooks/alerts/example.md", 1 << 20),
    "runbook-unreadable": lambda _: _dead_link(),
    "runbooks-missing": lambda _: _no_runbooks(),
    "yaml-too-deep": lambda _: _too_deep(),
    "yaml-too-large": lambda _: _too_large("config/routing.yaml", 16 << 20),
}
# Pages that need other rule files.
RULES_OF = {"rules-no-file": "rules/*.yaml"}
# Problems that are only looked for with an option.
OPTIONS_OF = {"config-unresolved-name": ["--connect"]}


def by_code(page: Page) -> str:
    return page.code


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_workspace_of_the_examples_is_clean(tmp_path: Path) -> None:
    lay_out(tmp_path, {})
    assert check() == {}


@pytest.mark.parametrize("page", PAGES, ids=by_code)
def test_the_bad_example_is_reported_exactly_as_shown(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, page.bad.files)
    if page.code in SPECIAL:
        SPECIAL[page.code](monkeypatch)
    reported = check(RULES_OF.get(page.code, RULES), *OPTIONS_OF.get(page.code, []))
    assert page.code in reported, reported
    if page.bad.expected or page.code not in SPECIAL:
        assert reported[page.code] == page.bad.expected


@pytest.mark.parametrize("page", PAGES, ids=by_code)
def test_the_good_example_has_no_such_problem(page: Page, tmp_path: Path) -> None:
    assert page.good.files or page.code in SPECIAL.keys() | RULES_OF.keys()
    lay_out(tmp_path, page.good.files)
    assert page.code not in check(RULES, *OPTIONS_OF.get(page.code, []))


@pytest.mark.parametrize("page", PAGES, ids=by_code)
def test_the_page_states_the_default_severity(page: Page) -> None:
    assert SEVERITIES[page.code] == page.severity


def test_every_code_has_a_page() -> None:
    assert {page.code for page in PAGES} == set(SEVERITIES)


def test_the_index_lists_every_page() -> None:
    # If it does not: python -m tests.checks.pages
    text = INDEX.read_text(encoding="utf-8")
    assert text == index(text, PAGES)
