"""Writes what is made from the Helm chart and from code: the dashboard, the plain manifests, and
the schema and the table of the chart's values. `tests/test_chart.py` checks that they are current.
"""

import json
import re
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml
from scripts.dashboard import dashboard

ROOT = Path(__file__).parent.parent
CHART = ROOT / "deploy" / "helm" / "alert-router"
_HELM_LABELS = re.compile(r"^ *(?:helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", re.M)
_HEAD = "# Made from deploy/helm/alert-router by `make manifests`: edit the chart, not this file.\n"


def render(values: dict[str, Any], *, name: str = "alert-router") -> str:
    """The chart's objects with these values, as YAML documents. Raises helm.HelmError."""
    with helm.Chart.load(CHART) as chart:
        rendered = chart.render(values, name=name, namespace="monitoring")
    files = [text.strip() for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    return "\n---\n".join(text.removeprefix("---\n") for text in files if text) + "\n"


def manifests() -> str:
    """The plain manifests: the chart's defaults, without Helm's own labels."""
    return _HEAD + _HELM_LABELS.sub("", render({}))


def documented_values() -> str:
    """The chart's values as a Markdown table, made from the comments in values.yaml."""
    rows = ["| value | default | |", "|---|---|---|"]
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    for line in (CHART / "values.yaml").read_text().splitlines():
        if found := re.match(r" *# (-- )?(.*)", line):
            comment = [found[2]] if found[1] else [*comment, found[2]] if comment else []
        elif found := re.match(r"( *)(\w+):", line):
            depth = len(found[1])
            path = [*((at, key) for at, key in path if at < depth), (depth, found[2])]
            if comment:
                keys = [key for _, key in path]
                rows.append(
                    f"| `{'.'.join(keys)}` | {_default(defaults, keys)} | {_cell(comment)} |"
                )
            comment = []
        else:
            comment = []
    return "\n".join(rows) + "\n"


def _default(values: Any, keys: list[str]) -> str:
    for key in keys:
        values = values[key]
    text = json.dumps(values)
    return f"`{text}`" if len(text) <= 60 else "see values.yaml"


def _cell(comment: list[str]) -> str:
    return " ".join(comment).replace("|", "\\|")


def readme() -> str:
    """The chart's README with the current table."""
    head = (CHART / "README.md").read_text().split("## Values")[0]
    return f"{head}## Values\n\nvalues.yaml has a few more.\n\n{documented_values()}"


# Objects whose keys the chart does not know, and values that are more than their type says.
_OPEN = {"config", "resources", "labels", "podSecurityContext"}
_NARROWED: dict[str, dict[str, Any]] = {
    "storage.type": {"enum": ["sqlite", "postgresql"]},
    "runbooks.source": {"enum": ["image", "configMaps", "volume", "gitSync", "sidecar"]},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "replicas": {"type": "integer", "minimum": 1},
    "podDisruptionBudget.maxUnavailable": {"type": ["integer", "string"]},
    "prometheusRule.runbookUrl": {"type": "string", "pattern": r"^(https?://.*\{alert\}.*)?$"},
    "storage.postgresql.url": {"type": "string", "pattern": "^(postgresql://[^:/@]+@.*)?$"},
    "extraManifests": {"type": "array", "items": {"type": ["object", "string"]}},
}
_TYPES = {bool: "boolean", int: "integer", str: "string", list: "array"}


def values_schema() -> str:
    """JSON Schema of the chart's values: their types, and no other keys than those there are."""

    def of(value: Any, path: str) -> dict[str, Any]:
        if path in _NARROWED:
            return _NARROWED[path]
        if not isinstance(value, dict):
            return {"type": _TYPES[type(value)]}
        if not value or path.rpartition(".")[2] in _OPEN:
            return {"type": "object"}
        inner = {key: of(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
        return {"type": "object", "additionalProperties": False, "properties": inner}

    schema = of(yaml.safe_load((CHART / "values.yaml").read_text()), "")
    schema["properties"]["global"] = {"type": "object"}  # Helm adds it
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **schema}, indent=1)


# In this order: the manifests are rendered with the others.
OUTPUTS = {
    ROOT / "deploy" / "monitoring" / "dashboard.json": dashboard,
    CHART / "values.schema.json": values_schema,
    ROOT / "deploy" / "kubernetes" / "alert-router.yaml": manifests,
    CHART / "README.md": readme,
}


if __name__ == "__main__":
    for path, make in OUTPUTS.items():
        path.write_text(make())
