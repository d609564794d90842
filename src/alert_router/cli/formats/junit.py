"""Results as JUnit XML, limited to what Jenkins, GitLab and GitHub actions all read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

# What XML 1.0 cannot contain at all, not even as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

CaseState = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class TestCase:
    """One checked thing. If it did not pass, `message` says why in one line, `text` at length,
    and `kind` names the type of failure."""

    __test__ = False  # not a class of pytest's

    name: str
    classname: str
    result: CaseState = "passed"
    message: str = ""
    text: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class TestSuite:
    """Cases that belong together, such as the cases of one file."""

    __test__ = False

    name: str
    cases: Sequence[TestCase]


def junit_xml(name: str, suites: Sequence[TestSuite]) -> str:
    """The document. Characters that XML forbids are escaped (`\\x1b`)."""
    cases = [case for suite in suites for case in suite.cases]
    root = ET.Element("testsuites", {"name": _legal(name), **_counts(cases)})
    for suite in suites:
        counts = _counts(suite.cases)
        counts["skipped"] = str(sum(case.result == "skipped" for case in suite.cases))
        element = ET.SubElement(root, "testsuite", {"name": _legal(suite.name), **counts})
        for case in suite.cases:
            _add(element, case)
    ET.indent(root)
    # ASCII only, everything else as references: no locale can corrupt it.
    body = ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'


def _add(suite: ET.Element, case: TestCase) -> None:
    attributes = {"name": _legal(case.name), "classname": _legal(case.classname), "time": "0"}
    element = ET.SubElement(suite, "testcase", attributes)
    if case.result == "passed":
        return
    details = {"message": _legal(case.message)}
    if case.result != "skipped":
        details["type"] = _legal(case.kind or case.result)
    ET.SubElement(element, case.result, details).text = _legal(case.text) or None


def _counts(cases: Sequence[TestCase]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.result == "failure" for case in cases)),
        "errors": str(sum(case.result == "error" for case in cases)),
        "time": "0",
    }


def _legal(text: str) -> str:
    def escape(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

    return _FORBIDDEN.sub(escape, text)
