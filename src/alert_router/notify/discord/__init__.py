"""Discord: the notifier, its messages, and what its API answers."""

from alert_router.notify.discord.notifier import DiscordNotifier

__all__ = ["DiscordNotifier"]
