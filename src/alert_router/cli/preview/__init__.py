"""`alert-router preview`: what each destination would be sent for a payload, drawn for the eye.

`messages` makes what would be sent, `looks` reads it as its destination would, `terminal` and
`page` draw it. Nothing is stored, nothing is sent and no secret is read.
"""

from alert_router.cli.preview.command import preview

__all__ = ["preview"]
