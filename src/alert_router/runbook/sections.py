"""Which of the ten standard sections a heading means.

The aliases come from the headings of public runbook collections. Other headings stay unnamed: a
wrong name would put the wrong text into a notification.

"Diagnosis" and its aliases are Investigation in a runbook that has a Detection section, and
Detection elsewhere: a firing notification shows Detection and Mitigation, and its reader needs to
know what to check first. "Troubleshooting" is Investigation where another section is Mitigation,
and Mitigation elsewhere.
"""

import re
from collections.abc import Iterable, Sequence

from alert_router.runbook.model import STANDARD_SECTIONS

_ALIASES = {
    "Overview": "meaning, summary, description, about, introduction, background, context, purpose, "
    "alert description, alert details, alert overview, alert summary, explanation, scope, "
    "what is this, what this alert means, what does this alert mean, "
    "about this alert, definition",
    "Severity": "impact, priority, severity level, severity levels, impact assessment, "
    "user impact, customer impact, business impact, service impact, slo impact, alert severity, "
    "blast radius, urgency",
    "Prerequisites": "prerequisite, pre requisites, requirements, required access, access, "
    "before you begin, before you start, preparation, required tools, tools needed",
    "Detection": "symptoms, symptom, how to detect, indicators, signs, identification, "
    "alert conditions, alert condition, triggers, trigger, detection and alerts, alerts, "
    "related alerts, alert criteria, how to recognize",
    "Investigation": "investigate, investigation steps, debugging, debug, analysis, root cause, "
    "root causes, possible causes, possible cause, common causes, common root causes, causes, "
    "cause, further investigation, deep dive, likely causes, potential causes",
    "Mitigation": "mitigate, resolution, resolutions, playbook, fix, fixes, remediation, "
    "remediations, resolve, repair, recovery, solution, solutions, workaround, workarounds, "
    "immediate actions, immediate action, immediate response, immediate mitigation, actions, "
    "action, what to do, how to fix, how to resolve, how to mitigate, mitigation steps, "
    "resolution steps, remediation steps, recovery steps, response steps, response, quick fix, "
    "quick fixes, possible fixes, possible fix, corrective actions, recommended actions, "
    "recommended action, steps to resolve, procedure, procedures, steps, fixing, "
    "mitigations, possible resolutions, possible solutions",
    "Verification": "verify, validation, how to verify, verify recovery, confirm resolution, "
    "verify resolution, verifying recovery, post checks, recovery verification",
    "Communication": "communications, communication plan, communication template, "
    "communication templates, stakeholder communication, comms, status page, notifications",
    "Escalation": "escalation path, escalation paths, escalation policy, escalation procedure, "
    "escalation procedures, escalation matrix, escalation contacts, when to escalate, escalate, "
    "contacts, contact, who to contact, on call contacts, support",
    "Post-Incident": "postmortem, post mortem, postmortems, follow up, follow ups, "
    "follow up actions, post incident actions, post incident review, post incident tasks, "
    "post incident steps, after the incident, prevention, preventive measures, "
    "preventive actions, lessons learned, long term fix, long term fixes, long term actions, "
    "long term solution, retrospective",
}
_DIAGNOSIS = (
    "diagnosis, diagnose, diagnostics, diagnostic steps, diagnosis steps, possible checks, "
    "checks, initial checks, how to diagnose, initial diagnosis, initial assessment, triage, "
    "first checks, quick checks, what to check"
)
_TROUBLESHOOTING = "troubleshooting, troubleshooting pointers, troubleshooting steps, troubleshoot"

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NUMBER = re.compile(
    r"^(?:(?:step|phase|part)\s+)?\d+(?:\.\d+)*\s*(?:[.):–—-]+\s+|(?<=\.\d)\s+|(?<=\.\d\d)\s+)",
    re.I,
)
_KEYCAP = re.compile("^\\d\ufe0f?\u20e3\\s*")
_BETWEEN = re.compile(r"\s*[/&+:|–—]\s*|\s+-\s+|\s+(?:and|or)\s+", re.I)
_NOT_A_WORD = re.compile(r"[\W_]+")


def _names(text: str) -> Iterable[str]:
    return text.split(", ")


_KNOWN = {alias: name for name, aliases in _ALIASES.items() for alias in _names(aliases)}
_KNOWN |= {_NOT_A_WORD.sub(" ", name).lower(): name for name in STANDARD_SECTIONS}
_KNOWN |= dict.fromkeys(_names(_DIAGNOSIS), "diagnosis")
_KNOWN |= dict.fromkeys(_names(_TROUBLESHOOTING), "troubleshooting")


def without_number(title: str) -> str:
    """A heading without its number: `1. `, `2) `, `Step 3: `, `2.1 `."""
    title = title.strip()
    rest = _NUMBER.sub("", _KEYCAP.sub("", title)).strip()
    return rest or title


def section_names(titles: Sequence[str]) -> tuple[str, ...]:
    """The standard names of all section headings of a runbook (plain text), "" for others."""
    kinds = [_kind(title) for title in titles]
    own_detection = any(_key(title) == "detection" for title in titles)
    has_mitigation = "Mitigation" in kinds
    meant = {
        "diagnosis": "Investigation" if own_detection else "Detection",
        "troubleshooting": "Investigation" if has_mitigation else "Mitigation",
    }
    return tuple(meant.get(kind, kind) for kind in kinds)


def is_section(title: str) -> bool:
    """Whether a heading of this text names a section, and so is not a title."""
    return _key(title) in _KNOWN


def _kind(title: str) -> str:
    """The standard name, "diagnosis", "troubleshooting", or ""."""
    whole = _KNOWN.get(_key(title))
    if whole:
        return whole
    parts = _BETWEEN.split(_BRACKETED.sub(" ", without_number(title)))
    return next((_KNOWN[key] for part in parts if (key := _key(part)) in _KNOWN), "")


def _key(title: str) -> str:
    bare = _BRACKETED.sub(" ", without_number(title)) or title
    return _NOT_A_WORD.sub(" ", bare).strip().lower().removeprefix("the ")
