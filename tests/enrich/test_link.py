"""Links of a runbook, as they stand in a message that has no place of its own."""

import pytest

from alert_router.enrich.fill import from_page

PAGE = "https://alerts.example.org/runbooks/alerts/high-error-rate"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("database-issues.md", "https://alerts.example.org/runbooks/alerts/database-issues"),
        ("database-issues.md#mitigation", "https://alerts.example.org/runbooks/alerts/database-issues#mitigation"),
        ("../operations/rollback.md", "https://alerts.example.org/runbooks/operations/rollback"),
        ("./x.md?y=1", "https://alerts.example.org/runbooks/alerts/x?y=1"),
        ("#verification", f"{PAGE}#verification"),
        ("https://other.example.org/x.md", "https://other.example.org/x.md"),
        ("mailto:sre@example.org", "mailto:sre@example.org"),
        ("//other.example.org/x.md", "//other.example.org/x.md"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("", ""),
        ("[x]", "[x]"),
    ],
)  # fmt: skip
def test_relative_links_lead_to_pages_and_others_stay(url: str, expected: str) -> None:
    assert from_page(url, PAGE) == expected


def test_without_a_page_nothing_changes() -> None:
    assert from_page("x.md", "") == "x.md"
