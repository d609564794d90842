"""A notification as Mattermost's post: text in Mattermost's Markdown. Pure.

Text and not an attachment: in an attachment the server looks for Slack's links across lines, and
would change commands. How a post gets there is `notifier`'s.
"""

from alert_router.notification import Detail, Notification
from alert_router.notify import chatmessage
from alert_router.notify.mattermost.words import FLAVOUR, SYNTAX
from alert_router.notify.outline import fit, outline

# Characters of a post (docs.mattermost.com, "Message length"; server/public/model/post.go,
# PostMessageMaxRunesV2). A longer one is cut in two by the server, within code too.
MAX_CHARACTERS = 16_383

_CUT = "There is more than fits into a message of Mattermost."


def message(notification: Notification, detail: Detail) -> str:
    """The text with as much detail as fits."""

    def make(level: Detail) -> list[str]:
        parts = list(outline(notification, level))
        return [SYNTAX.kept(piece) for piece in chatmessage.pieces(parts, FLAVOUR)]

    found = fit(detail, make, lambda made: sum(map(_size, made)) <= MAX_CHARACTERS)
    return "\n".join(chatmessage.cut(found, _size, MAX_CHARACTERS, _CUT))


def _size(piece: str) -> int:
    return len(piece) + 1
