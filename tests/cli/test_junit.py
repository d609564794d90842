"""JUnit's XML: what its readers take, and text that XML cannot hold."""

from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.cli.formats.junit import TestCase, TestSuite, junit_xml
from tests.cli.junit_rules import check_junit

CASES = [
    TestCase("one", "rules.yaml"),
    TestCase("two", "rules.yaml", "failure", "no <runbook>", "why\nit is so", "uncovered"),
    TestCase("three", "rules.yaml", "error", "bad & worse"),
    TestCase("four", "rules.yaml", "skipped", "none wanted"),
]

EXPECTED = """\
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="all" tests="4" failures="1" errors="1" time="0">
  <testsuite name="rules.yaml" tests="4" failures="1" errors="1" time="0" skipped="1">
    <testcase name="one" classname="rules.yaml" time="0" />
    <testcase name="two" classname="rules.yaml" time="0">
      <failure message="no &lt;runbook&gt;" type="uncovered">why
it is so</failure>
    </testcase>
    <testcase name="three" classname="rules.yaml" time="0">
      <error message="bad &amp; worse" type="error" />
    </testcase>
    <testcase name="four" classname="rules.yaml" time="0">
      <skipped message="none wanted" />
    </testcase>
  </testsuite>
</testsuites>"""


def test_suites_cases_and_counts():
    text = junit_xml("all", [TestSuite("rules.yaml", CASES)])
    assert text == EXPECTED
    check_junit(text)


def test_characters_that_xml_forbids_are_escaped():
    name = "a\x1b[31m\x00\ud800\ufffe é 😀"
    text = junit_xml("all", [TestSuite("s", [TestCase(name, "c", "failure", name, name)])])
    case = check_junit(text).find("testsuite/testcase")
    seen = "a\\x1b[31m\\x00\\ud800\\ufffe é 😀"
    assert (case.get("name"), case.find("failure").text) == (seen, seen)
    assert text.isascii()


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.builds(
            TestCase,
            st.text(),
            st.text(),
            st.sampled_from(["passed", "failure", "error", "skipped"]),
            st.text(),
            st.text(),
            st.text(),
        ),
        max_size=3,
    ),
    st.text(),
)
def test_any_text_can_be_read_back(cases, name):
    root = check_junit(junit_xml(name, [TestSuite(name, cases)]))
    assert len(root.findall("testsuite/testcase")) == len(cases)
    for case, element in zip(cases, root.iter("testcase"), strict=True):
        assert [child.tag for child in element] == [case.result] * (case.result != "passed")
        if case.name.isprintable():
            assert element.get("name") == case.name


def test_a_report_without_suites_is_a_valid_document():
    assert ET.fromstring(junit_xml("all", [])).get("tests") == "0"
