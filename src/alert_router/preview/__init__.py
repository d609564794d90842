"""What the router would do with an alert: which runbook and receivers it would get, and why
(`decision`), and what each destination would receive (`messages`) and how it would look there
(`drawing`). Nothing is stored or sent, and no secret is read.
"""
