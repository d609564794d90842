"""Why a notifier is sent nothing, in words: by the key of its that says so."""

UNWANTED = {
    "send_resolved": "no resolved alerts (send_resolved: false)",
    "min_severity": "nothing that minor (min_severity)",
}
