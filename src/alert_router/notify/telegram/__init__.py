"""Telegram: the notifier, its messages, and texts with entities instead of markup."""

from alert_router.notify.telegram.notifier import TelegramNotifier

__all__ = ["TelegramNotifier"]
