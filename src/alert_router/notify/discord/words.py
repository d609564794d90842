"""Discord's Markdown: which characters it would obey.

After Discord's "Markdown Text 101" and "Message Formatting"; its clients take a backslash before
anything but letters, digits and spaces for an escape.
"""

import re

from alert_router.notify.commonmark import Syntax

SYNTAX = Syntax(
    # Marks, links, mentions and whatever else begins with `<`, and the colons of addresses and
    # emoji. An underscore within a word formats nothing.
    special=re.compile(
        r"[\\`*~|<>\[\]@]|:(?=\S)|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|[-#](?=#*(?:\s|$))"
    ),
    # There are no longer fences: three backticks end a block wherever they are.
    rewritten=re.compile("```"),
    # Addresses count among the 6,000 characters.
    longest_url=700,
)
FLAVOUR = SYNTAX.flavour
