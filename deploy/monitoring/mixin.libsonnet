// The alerts and the dashboard as a monitoring mixin.
{
  _config+:: {
    // Link to a runbook page; %s is the name of the alert. Empty: no `runbook_url`.
    runbookUrl: '',
  },

  prometheusAlerts+:: {
    groups: [
      group {
        rules: [
          rule + if std.objectHas(rule, 'alert') && $._config.runbookUrl != '' then {
            annotations+: { runbook_url: $._config.runbookUrl % rule.alert },
          } else {}
          for rule in group.rules
        ],
      }
      for group in std.parseYaml(importstr 'alerts.yaml').groups
    ],
  },

  grafanaDashboards+:: {
    'alert-router.json': import 'dashboard.json',
  },
}
