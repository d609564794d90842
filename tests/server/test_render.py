"""Runbooks as pages show them."""

import tracemalloc

from alert_router.markdown import Code
from alert_router.server.pages.render import html


def no_picture(url: str) -> None:
    """Links lead to no picture."""


def test_commands_with_the_values_of_labels_are_not_kept_in_memory():
    tracemalloc.start()
    try:
        for number in range(300):
            for language in ("bash", ""):
                text = f"kubectl delete pod cart-{number} # {'x' * 20_000}"
                assert "kubectl delete" in html([Code(text, language)], no_picture)
            if number == 20:
                before, _ = tracemalloc.get_traced_memory()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2**20  # where each is kept, they are ten times as much


def test_a_short_command_is_marked_by_what_it_does_also_the_second_time():
    for text, said in (("rm -r x", "Deletes"), ("systemctl restart x", "Changes"), ("ls", None)):
        for _ in range(2):
            shown = html([Code(text, "bash")], no_picture)
            assert (said or "ls") in shown
            assert ("something" in shown) == (said is not None)
