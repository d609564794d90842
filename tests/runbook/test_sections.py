"""Which standard section a heading means."""

import pytest

from alert_router.runbook.sections import STANDARD_HEADINGS, Headings, without_number

section_names = STANDARD_HEADINGS.names


def name(title: str) -> str:
    return section_names([title])[0]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Meaning", "Overview"),
        ("Summary", "Overview"),
        ("Background", "Overview"),
        ("Impact", "Severity"),
        ("Symptoms", "Detection"),
        ("How to detect", "Detection"),
        ("Investigation", "Investigation"),
        ("Root Cause", "Investigation"),
        ("Resolution", "Mitigation"),
        ("Playbook", "Mitigation"),
        ("Remediation", "Mitigation"),
        ("Immediate Actions (< 5 minutes)", "Mitigation"),
        ("Escalation Path", "Escalation"),
        ("Postmortem", "Post-Incident"),
        ("Post Incident", "Post-Incident"),
        ("POST-INCIDENT:", "Post-Incident"),
        ("3. Mitigation", "Mitigation"),
        ("2) Detection", "Detection"),
        ("Step 4 - Verification", "Verification"),
        ("4.10 Verification", "Verification"),
        ("🚨 Severity", "Severity"),
        ("1️⃣ Detection", "Detection"),
        ("Severity & Impact", "Severity"),
        ("Communication and Escalation", "Communication"),
        ("Mitigation: restart the pod", "Mitigation"),
        ("The Fix", "Mitigation"),
        ("Logging", "reference"),
        ("Redis", ""),
        ("", ""),
        ("!!!", ""),
        ("503", ""),
    ],
)
def test_a_heading_means_its_standard_section(title: str, expected: str) -> None:
    assert name(title) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Investigation and Action", "Mitigation"),
        ("Common causes & fixes", "Mitigation"),
        ("Impact / Symptoms", "Detection"),
        ("Actions to take", "Mitigation"),
        ("Potential resolution steps", "Mitigation"),
        ("How to fix the issue", "Mitigation"),
        ("Steps to resolve", "Mitigation"),
        ("Initial steps", "Detection"),
        ("How to investigate it:", "Investigation"),
        ("How to confirm resolution", "Verification"),
        ("§G. Repair", "Mitigation"),
        ("A) Fix", "Mitigation"),
        ("✅ Mitigation ✅", "Mitigation"),
        ("含义", "Overview"),
        ("二、处理步骤", "Mitigation"),
        ("原因和解决方案", "Mitigation"),
        ("Maßnahmen", "Mitigation"),
        ("Síntomas", "Detection"),
        ("SINTOMAS", "Detection"),
        ("Ações imediatas", "Mitigation"),
        ("対応方法", "Mitigation"),
        ("Quick links", "reference"),
        ("Example alerts", "reference"),
        ("Possible improvements", ""),
        ("the the the", ""),
        ("Fix " * 100, ""),
    ],
)
def test_headings_of_other_collections_are_recognized(title: str, expected: str) -> None:
    assert name(title) == expected


def test_further_aliases_come_from_the_configuration() -> None:
    headings = Headings.of({"Mitigation": ["Toiminta"], "Reference": ["Fix"]})

    assert headings.names(["1. TOIMINTA", "Fix", "Solution"]) == (
        "Mitigation",
        "reference",
        "Mitigation",
    )


@pytest.mark.parametrize("title", ["Diagnosis", "Possible checks", "Triage"])
def test_diagnosis_is_detection_unless_the_runbook_has_its_own(title: str) -> None:
    assert section_names(["Meaning", title]) == ("Overview", "Detection")
    assert section_names(["Detection", title]) == ("Detection", "Investigation")
    assert section_names([title, "1. Detection"]) == ("Investigation", "Detection")


def test_symptoms_and_diagnosis_are_both_detection() -> None:
    assert section_names(["Symptoms", "Possible checks"]) == ("Detection", "Detection")


def test_troubleshooting_is_investigation_unless_nothing_else_mitigates() -> None:
    assert section_names(["Troubleshooting", "Fix"]) == ("Investigation", "Mitigation")
    assert section_names(["Meaning", "Troubleshooting"]) == ("Overview", "Mitigation")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("1. Check pods", "Check pods"),
        ("2) Check pods", "Check pods"),
        ("Step 3: Check pods", "Check pods"),
        ("1.2 Check pods", "Check pods"),
        ("3 replicas are missing", "3 replicas are missing"),
        ("5-minute check", "5-minute check"),
        ("503 errors", "503 errors"),
        ("Step 1:", "Step 1:"),
        ("2.", "2."),
    ],
)
def test_only_the_number_of_a_heading_is_removed(title: str, expected: str) -> None:
    assert without_number(title) == expected
