"""Loading a directory of runbooks, and finding runbooks by reference and by name."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from alert_router.markdown import to_text
from alert_router.model.problem import Severity
from alert_router.runbook import Catalogue
from alert_router.runbook.sections import Headings
from tests.speed import assert_linear


def put(root: Path, **files: str) -> None:
    """Write files; `__` in a name is a slash."""
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def codes(catalogue: Catalogue) -> list[str]:
    return [problem.code for problem in catalogue.problems]


def test_ids_are_paths_without_extension(tmp_path: Path) -> None:
    put(tmp_path, a="# A", alerts__redis="# R", alerts__deep__x="# X")
    catalogue = Catalogue.load(tmp_path)
    assert set(catalogue.runbooks) == {"a", "alerts/redis", "alerts/deep/x"}
    redis = catalogue.get("alerts/redis")
    assert redis is not None
    assert (redis.id, redis.title) == ("alerts/redis", "R")
    assert catalogue.get("nothing") is None
    assert catalogue.problems == ()


def test_readme_hidden_and_other_files_are_not_runbooks(tmp_path: Path) -> None:
    put(tmp_path, README="# no", sub___index="# no", ok="# yes")
    put(tmp_path / ".git", x="# no")
    (tmp_path / ".hidden.md").write_text("# no")
    (tmp_path / "notes.txt").write_text("no")
    assert set(Catalogue.load(tmp_path).runbooks) == {"ok"}


def test_a_missing_directory_is_one_problem(tmp_path: Path) -> None:
    catalogue = Catalogue.load(tmp_path / "nowhere")
    assert codes(catalogue) == ["runbooks-missing"]
    assert dict(catalogue.runbooks) == {}
    assert catalogue.by_name("x") == []


def test_a_configmap_mount_lists_every_file_once_and_follows_the_swap(tmp_path: Path) -> None:
    old, new = tmp_path / "..2024_01", tmp_path / "..2024_02"
    put(old, redis="# old", alerts__disk="# disk")
    (tmp_path / "..data").symlink_to("..2024_01")
    (tmp_path / "redis.md").symlink_to("..data/redis.md")
    (tmp_path / "alerts").symlink_to("..data/alerts")
    first = Catalogue.load(tmp_path)
    assert {id: r.title for id, r in first.runbooks.items()} == {
        "redis": "old",
        "alerts/disk": "disk",
    }
    put(new, redis="# new", alerts__disk="# disk")
    (tmp_path / "..tmp").symlink_to("..2024_02")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    second = Catalogue.load(tmp_path, first)
    assert {id: r.title for id, r in second.runbooks.items()} == {
        "redis": "new",
        "alerts/disk": "disk",
    }
    assert second.problems == ()


def test_loops_of_links_end(tmp_path: Path) -> None:
    put(tmp_path, alerts__a="# A")
    (tmp_path / "alerts" / "up").symlink_to("..")
    (tmp_path / "again").symlink_to("alerts")
    (tmp_path / "self.md").symlink_to("self.md")
    catalogue = Catalogue.load(tmp_path)
    assert set(catalogue.runbooks) == {"alerts/a"}
    assert codes(catalogue) == ["runbook-unreadable"]
    assert catalogue.broken == {"self"}


def test_a_link_within_the_directory_is_a_runbook_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, a="# A")
    (tmp_path / "b.md").symlink_to("a.md")
    assert set(Catalogue.load(tmp_path).runbooks) == {"a", "b"}


def test_links_out_of_the_directory_are_rejected(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside, secret="# secret")
    root = tmp_path / "root"
    put(root, ok="# ok")
    (root / "leak.md").symlink_to(outside / "secret.md")
    (root / "leaks").symlink_to(outside)
    catalogue = Catalogue.load(root)
    assert set(catalogue.runbooks) == {"ok"}
    assert codes(catalogue) == ["runbook-unreadable", "runbook-unreadable"]
    assert all("leads out of" in problem.message for problem in catalogue.problems)


def test_a_linked_root_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "real", a="# A")
    (tmp_path / "root").symlink_to("real")
    assert set(Catalogue.load(tmp_path / "root").runbooks) == {"a"}


def test_pipes_dangling_links_and_large_files_are_problems(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "dangling.md").symlink_to("nothing.md")
    (tmp_path / "huge.md").write_text("x" * (1024 * 1024 + 1))
    (tmp_path / "empty.md").write_text("")
    (tmp_path / "folder.md").mkdir()
    catalogue = Catalogue.load(tmp_path)
    assert dict(catalogue.runbooks) == {}
    assert catalogue.broken == {"pipe", "dangling", "huge", "empty"}
    assert sorted(codes(catalogue)) == [
        "runbook-empty",
        "runbook-too-large",
        "runbook-unreadable",
        "runbook-unreadable",
    ]
    assert all(problem.severity is Severity.ERROR for problem in catalogue.problems)
    assert {Path(problem.place.file).stem for problem in catalogue.problems} == catalogue.broken


def test_bytes_that_are_not_utf8_are_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"# T\n\ncaf\xe9\n")
    catalogue = Catalogue.load(tmp_path)
    assert catalogue.runbooks["latin"].title == "T"
    (problem,) = catalogue.problems
    assert (problem.code, problem.place.line) == ("runbook-not-utf8", 3)
    assert problem.severity is Severity.WARNING


@pytest.mark.skipif(os.name != "posix", reason="names are bytes only there")
def test_a_name_that_is_not_utf8_is_a_problem(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("# T")
    except OSError:
        pytest.skip("this file system rejects such names")
    catalogue = Catalogue.load(tmp_path)
    assert codes(catalogue) == ["runbook-unreadable"]
    catalogue.problems[0].show().encode()


def test_unchanged_files_are_not_parsed_again_and_changed_ones_are(tmp_path: Path) -> None:
    put(tmp_path, a="# A", b="# B", c="# C")
    first = Catalogue.load(tmp_path)
    put(tmp_path, b="# Other")
    (tmp_path / "c.md").unlink()
    second = Catalogue.load(tmp_path, first)
    assert second.runbooks["a"] is first.runbooks["a"]
    assert second.runbooks["b"].title == "Other"
    assert set(second.runbooks) == {"a", "b"}
    assert set(first.runbooks) == {"a", "b", "c"}  # a catalogue never changes


def test_problems_of_unchanged_files_are_still_reported(tmp_path: Path) -> None:
    put(tmp_path, a="no title")
    first = Catalogue.load(tmp_path)
    assert codes(Catalogue.load(tmp_path, first)) == codes(first) == ["runbook-no-title"]


def test_the_last_good_version_of_a_broken_file_is_kept(tmp_path: Path) -> None:
    put(tmp_path, a="# A")
    first = Catalogue.load(tmp_path)
    put(tmp_path, a="")
    second = Catalogue.load(tmp_path, first)
    third = Catalogue.load(tmp_path, second)  # and over further reloads
    for catalogue in (second, third):
        assert catalogue.runbooks["a"].title == "A"
        assert catalogue.broken == {"a"}
        (problem,) = catalogue.problems
        assert "last good version stays in use" in problem.message
    put(tmp_path, a="# Fixed")
    fixed = Catalogue.load(tmp_path, third)
    assert fixed.runbooks["a"].title == "Fixed"
    assert (fixed.problems, fixed.broken) == ((), frozenset())


def test_runbooks_of_a_directory_that_became_unreadable_are_kept(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    put(root, alerts__a="# A", b="# B")
    first = Catalogue.load(root)
    # A link that leads outside is rejected for any user; permissions do not apply to root.
    (root / "alerts").rename(elsewhere)
    (root / "alerts").symlink_to(elsewhere)
    second = Catalogue.load(root, first)
    assert set(second.runbooks) == {"alerts/a", "b"}
    assert second.broken == {"alerts/a"}
    assert codes(second) == ["runbook-unreadable"]


@pytest.mark.parametrize("how", ["renamed", "replaced by a file", "unmounted"])
def test_all_runbooks_stay_while_the_directory_is_gone(tmp_path: Path, how: str) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    put(root, alerts__a="# A", b="# B")
    first = Catalogue.load(root)
    assert not first.unavailable
    root.rename(elsewhere)
    if how == "replaced by a file":
        root.touch()
    elif how == "unmounted":
        root.mkdir()
    second = Catalogue.load(root, first)
    third = Catalogue.load(root, second)  # and over further reloads
    for catalogue in (second, third):
        assert {id: it.title for id, it in catalogue.runbooks.items()} == {
            "alerts/a": "A",
            "b": "B",
        }
        assert catalogue.unavailable
        assert catalogue.broken == {"alerts/a", "b"}
        (problem,) = catalogue.problems
        assert problem.severity is Severity.ERROR
        assert problem.place.file == str(root)
        assert "2 runbooks stay in use" in problem.message
    if root.is_file():
        root.unlink()
    elif root.exists():
        root.rmdir()
    elsewhere.rename(root)
    back = Catalogue.load(root, third)
    assert set(back.runbooks) == {"alerts/a", "b"}
    assert (back.problems, back.broken, back.unavailable) == ((), frozenset(), False)


def test_all_runbooks_stay_while_the_directory_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as directory:  # pytest's own are closed to other users
        Path(directory).chmod(0o755)
        root = Path(directory, "root")
        put(root, a="# A")
        first = Catalogue.load(root)
        root.chmod(0)
        user = os.geteuid()
        if user == 0:  # whom permissions do not bind
            os.seteuid(65534)
        try:
            second = Catalogue.load(root, first)
        finally:
            os.seteuid(user)
            root.chmod(0o755)
    assert set(second.runbooks) == {"a"}
    assert second.unavailable
    (problem,) = second.problems
    assert "permission denied; the last good versions of 1 runbooks" in problem.message


def test_of_a_directory_that_had_no_runbooks_none_are_missed(tmp_path: Path) -> None:
    again = Catalogue.load(tmp_path, Catalogue.load(tmp_path))
    assert (again.problems, again.unavailable) == ((), False)


def test_the_catalogue_of_another_directory_is_not_reused(tmp_path: Path) -> None:
    put(tmp_path / "one", a="# A")
    put(tmp_path / "two", a="")
    other = Catalogue.load(tmp_path / "two", Catalogue.load(tmp_path / "one"))
    assert dict(other.runbooks) == {}


@pytest.fixture
def known(tmp_path: Path) -> Catalogue:
    put(
        tmp_path,
        **{
            "alerts__redis-issues": "# R",
            "kubernetes__KubePodCrashLooping": "# K",
            "redis-issues": "# root",
            "a__same": "# 1",
            "b__Same": "# 2",
            "broken": "",
        },
    )
    return Catalogue.load(tmp_path)


@pytest.mark.parametrize(
    ("reference", "ids"),
    [
        (
            "https://git.example/o/r/blob/main/runbooks/alerts/redis-issues.md",
            ["alerts/redis-issues"],
        ),
        ("https://x.example/alerts/redis-issues/?q=1#fix", ["alerts/redis-issues"]),
        ("alerts/redis-issues", ["alerts/redis-issues"]),
        ("./alerts/redis-issues.md#mitigation", ["alerts/redis-issues"]),
        ("../../runbooks/alerts/redis-issues.html", ["alerts/redis-issues"]),
        ("https://x.example/redis-issues", ["redis-issues"]),
        ("https://x.example/other/redis%2Dissues", ["redis-issues"]),
        ("https://x.example/myredis-issues", []),
        ("https://x.example/kubernetes/kubepodcrashlooping", ["kubernetes/KubePodCrashLooping"]),
        ("kube_pod-crash.looping", ["kubernetes/KubePodCrashLooping"]),
        ("https://x.example/SAME", ["a/same", "b/Same"]),
        ("https://x.example/SAME.html", ["a/same", "b/Same"]),
        ("https://x.example/docs/B/same/", ["b/Same"]),
        ("https://x.example/docs/b/SAME/index.html", ["b/Same"]),
        ("https://x.example/docs/A/Same/README.md?plain=1", ["a/same"]),
        (
            "https://x.example/Kubernetes/KubePodCrashLooping/_index.md",
            ["kubernetes/KubePodCrashLooping"],
        ),
        ("https://x.example/docs/index.md", []),
        ("https://x.example/broken.md", ["broken"]),
        ("https://x.example/", []),
        ("https://x.example", []),
        ("#fragment", []),
        ("", []),
        ("   ", []),
        ("http://[", []),
        ("../..", []),
        ("{{ template }}", []),
        ("\x00\ud800", []),
    ],
)
def test_a_reference_names_its_runbook(known: Catalogue, reference: str, ids: list[str]) -> None:
    assert known.by_reference(reference) == ids


@pytest.mark.parametrize(
    ("alertname", "ids"),
    [
        ("RedisIssues", ["alerts/redis-issues", "redis-issues"]),
        ("KubePodCrashLooping", ["kubernetes/KubePodCrashLooping"]),
        ("PveVm/ctDown", []),
        ("MysqlTooManyConnections(>80%)", []),
        ("!!!", []),
        ("", []),
    ],
)
def test_a_runbook_is_found_by_the_name_of_the_alert(
    known: Catalogue, alertname: str, ids: list[str]
) -> None:
    assert known.by_name(alertname) == ids


@pytest.mark.parametrize(
    ("alertname", "id"),
    [
        ("DiskGone", "a"),
        ("Disk slow", "b"),
        ("NodeGone", "c"),
        ("NodeSlow", "c"),
        ("none", None),
        ("QueueDown", "many#queuedown"),
        ("Fix", None),
    ],
)
def test_front_matter_titles_and_sections_name_alerts(
    tmp_path: Path, alertname: str, id: str | None
) -> None:
    put(
        tmp_path,
        a="# Alert: DiskGone\n\n## Fix\n\nx",
        b="---\nalert: Disk slow\n---\n# B",
        c="---\nalerts: [NodeGone, NodeSlow]\n---\n# C",
        d="---\nalerts: none\n---\n# D",
        many="# Many\n\n## QueueDown\n\nx\n\n## QueueFull\n\nx",
    )

    assert Catalogue.load(tmp_path).by_name(alertname) == ([id] if id else [])


def test_two_runbooks_of_one_title_are_both_found(tmp_path: Path) -> None:
    put(tmp_path, a="# DiskGone", b="# DiskGone", c="# C\n\n## DiskGone\n\nx")

    assert Catalogue.load(tmp_path).by_name("DiskGone") == ["a", "b"]


def test_a_file_whose_name_has_a_hash_is_not_a_section(tmp_path: Path) -> None:
    put(tmp_path, **{"C#": "# C#", "C": "# C\n\n## C"})

    found = Catalogue.load(tmp_path).get("C#")

    assert found is not None
    assert found.parent is None


def test_other_headings_are_read_again(tmp_path: Path) -> None:
    put(tmp_path, a="# A\n\n## Toiminta\n\nx")
    before = Catalogue.load(tmp_path)

    after = Catalogue.load(tmp_path, before, Headings.of({"Mitigation": ["Toiminta"]}))

    assert [section.name for section in after.runbooks["a"].sections] == ["Mitigation"]


def test_a_reference_of_any_length_is_looked_up_quickly(known: Catalogue) -> None:
    def look_up(size: int) -> None:
        assert known.by_reference("/a" * size + "/alerts/redis-issues") == (
            ["alerts/redis-issues"] if size <= 100 else []
        )
        assert known.by_name("a." * size) == []

    look_up(100)
    assert_linear(look_up, 100_000)


def test_a_thousand_runbooks_reload_faster_than_they_load(tmp_path: Path) -> None:
    text = "# T\n\n## Detection\n\n1. **look** at `x`\n\n   ```sh\n   ls\n   ```\n\n" * 3
    for number in range(1000):
        (tmp_path / f"r{number}.md").write_text(text)
    began = time.process_time()
    first = Catalogue.load(tmp_path)
    loaded = time.process_time()
    Catalogue.load(tmp_path, first)
    reloaded = time.process_time()
    assert len(first.runbooks) == 1000
    assert reloaded - loaded < loaded - began


SIDES = "## Detection\n\n1. Look.\n\n## Mitigation\n\n1. Restart.\n"


def written(root: Path, **files: str) -> Catalogue:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Catalogue.load(root)


def test_every_format_that_can_be_read_is_a_runbook(tmp_path: Path) -> None:
    found = written(
        tmp_path, a_dot_md="# A", b_dot_markdown="# B", c_dot_mdx="# C", d_dot_md_dot_erb="# D",
        x__e_dot_adoc="= E", F_dot_MD="# F",
    )  # fmt: skip
    assert {id: runbook.title for id, runbook in found.runbooks.items()} == {
        "a": "A", "b": "B", "c": "C", "d": "D", "x/e": "E", "F": "F",
    }  # fmt: skip
    assert found.problems == ()
    assert found.file("x/e") == tmp_path / "x" / "e.adoc"
    assert found.by_reference("https://docs.example.org/x/e.html") == ["x/e"]


def test_a_page_of_a_folder_is_the_runbook_of_that_name(tmp_path: Path) -> None:
    found = written(
        tmp_path, a__README_dot_md=f"# A\n\n{SIDES}", b__index_dot_md="# B", c___index_dot_md="# C",
        d__README_dot_md="# About this folder", README_dot_md=SIDES,
    )  # fmt: skip
    assert sorted(found.runbooks) == ["a", "b"]
    assert found.by_reference("https://docs.example.org/runbooks/a/") == ["a"]


def test_what_is_passed_over_is_reported_once(tmp_path: Path) -> None:
    found = written(
        tmp_path, a_dot_md="# A", a_dot_adoc="= B", x_dot_html="<p>", y_dot_html="<p>",
        logo_dot_png="", partials__p_dot_adoc="= P",
    )  # fmt: skip
    assert [runbook.title for runbook in found.runbooks.values()] == ["A"]
    messages = [problem.message for problem in found.problems]
    assert messages == [
        "1 file was not read: another runbook has its name, such as a.adoc",
        "2 `.html` files were not read: this format is not supported, such as x.html",
    ]


def test_asciidoc_includes_files_of_the_directory_only(tmp_path: Path) -> None:
    (tmp_path / "secret.adoc").write_text("secret", encoding="utf-8")
    root = tmp_path / "runbooks"
    page = (
        "= A\n\ninclude::partial$p.adoc[]\n\ninclude::../../../../secret.adoc[]\n\n"
        "include::/etc/passwd[]\n\ninclude::https://x.example/y[]\n"
    )
    found = written(
        root, modules__m__pages__a_dot_adoc=page, modules__m__partials__p_dot_adoc="Shared words."
    )
    (runbook,) = found.runbooks.values()
    assert to_text(runbook.blocks) == "A\n=\n\nShared words."
    assert [problem.place.line for problem in runbook.problems] == [5, 7, 9]
    (root / "modules/m/partials/p.adoc").write_text("Other words.", encoding="utf-8")
    (again,) = Catalogue.load(root, found).runbooks.values()
    assert "Other words." in to_text(again.blocks)


@pytest.mark.parametrize("name", ["a.html.md", "a.html.md.erb", "a.markdown", "A.adoc"])
def test_the_id_has_no_suffix_of_a_format(tmp_path, name):
    (tmp_path / name).write_text("# A\n\nText.\n", encoding="utf-8")
    assert [id.lower() for id in Catalogue.load(tmp_path).runbooks] == ["a"]


def test_a_page_that_says_that_the_runbook_moved_is_no_second_candidate(tmp_path):
    for folder, text in (("old", "This has been moved to [new](../new/PodDown.md)."), ("new", "x")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "PodDown.md").write_text(f"# PodDown\n\n{text}\n", encoding="utf-8")
    assert Catalogue.load(tmp_path).by_name("PodDown") == ["new/PodDown"]
    (tmp_path / "new" / "PodDown.md").unlink()
    assert Catalogue.load(tmp_path).by_name("PodDown") == ["old/PodDown"]


def component(root: Path, description: str, page: str) -> Path:
    """An Antora component with one page."""
    file = root / "c/modules/ROOT/pages/disk.adoc"
    file.parent.mkdir(parents=True)
    file.write_text(page, encoding="utf-8")
    (root / "c/antora.yml").write_text(description, encoding="utf-8")
    return file


def text_of(catalogue: Catalogue) -> str:
    (runbook,) = catalogue.runbooks.values()
    return to_text(runbook.blocks)


PAGE = "= Disk\n:tool: own\n\nAsk {team} in {room}. {tool}{unknown}\n\nifdef::team[Now.]\n"


def test_attributes_of_an_antora_component_are_those_of_its_pages(tmp_path: Path) -> None:
    component(
        tmp_path,
        "name: c\nasciidoc:\n  attributes:\n    team: SRE\n    Room: '#{team}'\n    unknown: ~\n"
        "    list: [a]\n    tool: theirs\n",
        PAGE,
    )
    found = text_of(Catalogue.load(tmp_path))
    assert "Ask SRE in #SRE. theirs{unknown}" in found
    assert "Now." in found


def test_a_page_changes_an_attribute_of_its_component_that_ends_in_at(tmp_path: Path) -> None:
    component(tmp_path, "asciidoc: {attributes: {tool: theirs@}}", PAGE)
    assert ". own{unknown}" in text_of(Catalogue.load(tmp_path))


def test_changed_attributes_of_a_component_reach_its_pages_on_reload(tmp_path: Path) -> None:
    page = component(tmp_path, "name: c", "= Disk\n\nAsk {team}.\n")
    description = page.parents[3] / "antora.yml"
    catalogue = Catalogue.load(tmp_path)
    for team, line in (("A", "team: A"), ("B", "team: B"), ("{team}", "x: y")):
        description.write_text(f"asciidoc: {{attributes: {{{line}}}}}", encoding="utf-8")
        catalogue = Catalogue.load(tmp_path, catalogue)
        assert f"Ask {team}." in text_of(catalogue)


@pytest.mark.parametrize(
    "description",
    [
        "asciidoc: [", "asciidoc: {attributes: {team: " + "x" * 70_000 + "}}", "[" * 60_000,
        "asciidoc:\n  attributes:\n" + "".join(f"    a{i}: x\n" for i in range(600)),
    ],
)  # fmt: skip
def test_attributes_that_cannot_be_read_are_a_problem_and_the_page_stays(
    tmp_path: Path, description: str
) -> None:
    component(tmp_path, description, "= Disk\n\nAsk {team}.\n")
    catalogue = Catalogue.load(tmp_path)
    assert "Ask {team}." in text_of(catalogue)
    (problem,) = catalogue.problems
    assert "attributes of the component cannot be read" in problem.message
    assert problem.place.file == str(tmp_path / "c/antora.yml")


def test_a_component_outside_the_directory_gives_its_pages_nothing(tmp_path: Path) -> None:
    page = component(tmp_path, "asciidoc: {attributes: {team: SRE}}", "= Disk\n\nAsk {team}.\n")
    assert "Ask {team}." in text_of(Catalogue.load(page.parent))
    secret = tmp_path / "secret.yml"
    (tmp_path / "c/antora.yml").rename(secret)
    (tmp_path / "c/antora.yml").symlink_to(secret)
    catalogue = Catalogue.load(tmp_path / "c")
    assert "Ask {team}." in text_of(catalogue)
    assert [problem.code for problem in catalogue.problems] == ["runbook-unreadable"]


def test_values_that_grow_with_each_attribute_are_bounded(tmp_path: Path) -> None:
    lines = "".join(f"    a{i}: '{{a{i - 1}}}{{a{i - 1}}}'\n" for i in range(1, 400))
    component(tmp_path, f"asciidoc:\n  attributes:\n    a0: x\n{lines}", "= D\n\n{a399}\n")
    assert len(text_of(Catalogue.load(tmp_path))) < 10_000
