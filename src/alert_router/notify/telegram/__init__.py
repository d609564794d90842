"""The notifier `telegram`: a bot that updates one message per group in a chat."""

from alert_router.notify.telegram.notifier import TelegramNotifier

__all__ = ["TelegramNotifier"]
