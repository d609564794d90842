"""Filling placeholders in shell commands: default deny, and an inert token for the rest.

`template` is the entry. `reader` finds the words of each command, `commands` decides which kind
of value may stand in a word.
"""

from alert_router.enrich.shell.template import (
    CONSOLE_LANGUAGES,
    SHELL_LANGUAGES,
    Filled,
    Slot,
    Template,
    Variables,
    command_spans,
    compile_fences,
    compile_inline,
    own_variables,
    reads_as_simple_commands,
    unfilled,
)

__all__ = [
    "CONSOLE_LANGUAGES",
    "SHELL_LANGUAGES",
    "Filled",
    "Slot",
    "Template",
    "Variables",
    "command_spans",
    "compile_fences",
    "compile_inline",
    "own_variables",
    "reads_as_simple_commands",
    "unfilled",
]
