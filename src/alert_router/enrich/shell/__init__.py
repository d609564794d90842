"""Filling placeholders in shell text, only where bash makes one argument of any value.

Read by `grammar` and `words`, judged by `meaning`, put together by `template`.
"""

from alert_router.enrich.shell.template import SHELL_LANGUAGES, Filled, Template, compile_fences

__all__ = ["SHELL_LANGUAGES", "Filled", "Template", "compile_fences"]
