"""Filling placeholders in shell commands: denied by default, with an inert word instead.

`template` is the interface. `reader` splits commands into words, and `commands` decides which
values may fill a word.
"""

from alert_router.enrich.shell.template import (
    CONSOLE_LANGUAGES,
    SHELL_LANGUAGES,
    command_spans,
    compile_fence,
    compile_fences,
    compile_inline,
    own_variables,
    reads_as_simple_commands,
    unfilled,
)

__all__ = [
    "CONSOLE_LANGUAGES",
    "SHELL_LANGUAGES",
    "command_spans",
    "compile_fence",
    "compile_fences",
    "compile_inline",
    "own_variables",
    "reads_as_simple_commands",
    "unfilled",
]
