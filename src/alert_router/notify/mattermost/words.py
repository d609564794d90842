"""Mattermost's Markdown: which characters and words it would obey.

Names, channels, hashtags, emoji and addresses are looked for in what is left when the markup is
read (its server's mention_parser_standard.go, its client's text_formatting.tsx), so that no escape
helps: such a word is shown as code, where nothing is looked for.
"""

import re

from alert_router.notify.commonmark import Syntax

SYNTAX = Syntax(
    # What its fork of marked takes a backslash before; the others only as entities.
    special=re.compile(
        r"[\\`*~|<>\[\]$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|&(?=#?\w+;)|#(?=#*(?:\s|$))"
    ),
    entities={"\\": "&#92;", "|": "&#124;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "&": "&amp;"},
    obeyed=re.compile(
        r"@|:\S|(?<!\w);-?[)D]|~[\w.-]|#[^\W\d_]|www\d{0,3}\.|\w\.[^\W\d_]{2,4}/|^/|<[/]?3|^x-d$",
        re.IGNORECASE,
    ),
    # Slack's mentions and links, which its server writes anew before anything is read, in code too
    # (webhook.go and slack.go: linkWithTextRegex, expandAnnouncement, replaceUserIds).
    rewritten=re.compile(r"<!(?:channel|here|all)>|<@[a-zA-Z0-9]+>|<[^\n<|>]+\|[^|\n>]+>"),
    schemes=("http:", "https:", "mailto:"),
)
FLAVOUR = SYNTAX.flavour
