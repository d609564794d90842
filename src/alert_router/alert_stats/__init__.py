"""Statistics of received alerts: names, runbooks, and notifications sent about them."""
