"""Noticing changes, whatever lies in the watched directories."""

import os
from pathlib import Path

from alert_router.watch import fingerprint


def test_a_change_below_a_directory_changes_its_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.md").write_text("one")
    before = fingerprint([tmp_path])
    assert fingerprint([tmp_path]) == before
    (tmp_path / "deep" / "a.md").write_text("three")
    assert fingerprint([tmp_path]) != before


def test_a_file_alone_and_one_that_is_not_there_have_fingerprints(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    missing = fingerprint([file])
    file.write_text("route: {}")
    assert fingerprint([file]) != missing


def test_a_name_that_is_no_text_is_watched_like_any_other(tmp_path: Path) -> None:
    before = fingerprint([tmp_path])
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffd.md")).write_text("# Bad\n")
    assert fingerprint([tmp_path]) != before


def test_a_file_whose_link_leads_nowhere_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    before = fingerprint([tmp_path])
    (tmp_path / "z.md").write_text("# Z\n")
    assert fingerprint([tmp_path]) != before
