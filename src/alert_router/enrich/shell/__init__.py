"""Filling placeholders in shell commands: denied by default, with an inert word instead.

`session` finds the commands of a block, and `template` compiles them: `reader` splits commands into
words, and `commands` decides which values may fill a word.
"""

from alert_router.enrich.shell.session import (
    CONSOLE_LANGUAGES,
    SHELL_LANGUAGES,
    command_ranges,
    command_spans,
    is_session,
    shell_language,
    split,
)
from alert_router.enrich.shell.template import (
    CommandSlot,
    compile_fence,
    compile_fences,
    compile_inline,
    labels_of_output,
    own_variables,
    reads_as_simple_commands,
    unfilled,
)

__all__ = [
    "CONSOLE_LANGUAGES",
    "SHELL_LANGUAGES",
    "CommandSlot",
    "command_ranges",
    "command_spans",
    "compile_fence",
    "compile_fences",
    "compile_inline",
    "is_session",
    "labels_of_output",
    "own_variables",
    "reads_as_simple_commands",
    "shell_language",
    "split",
    "unfilled",
]
