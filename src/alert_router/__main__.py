"""`python -m alert_router` is `alert-router`."""

from alert_router.cli import main

main()
