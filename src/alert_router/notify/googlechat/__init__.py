"""Google Chat: the notifier, its messages, and Chat's markup."""

from alert_router.notify.googlechat.notifier import GoogleChatNotifier

__all__ = ["GoogleChatNotifier"]
