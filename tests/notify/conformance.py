"""The cases of all notifiers: `CASES` in `<type>_rules.py`, for each type of the registry.

The tests themselves are test_conformance.py (renderings) and test_conformance_http.py (answers).
"""

from importlib import import_module

from alert_router.notify.registry import NOTIFIERS
from tests.notify.case import PATH, WORD, Case

CASES: list[Case] = [
    case for type_ in NOTIFIERS for case in import_module(f"tests.notify.{type_}_rules").CASES
]

__all__ = ["CASES", "PATH", "WORD", "Case"]
