"""Coverage: which alerting rules' alerts get a runbook, which one, and which receivers."""
