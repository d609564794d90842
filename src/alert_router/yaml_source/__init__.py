"""YAML files as trees that know where everything stands. What a file must hold is for others."""

from alert_router.yaml_source.read import (
    MAX_BYTES,
    decode,
    parse,
    parse_all,
    read,
    read_all,
    read_text,
)
from alert_router.yaml_source.tree import (
    Document,
    Entry,
    Fields,
    Items,
    Location,
    Node,
    Text,
    children,
    plain,
)

__all__ = [
    "MAX_BYTES",
    "Document",
    "Entry",
    "Fields",
    "Items",
    "Location",
    "Node",
    "Text",
    "children",
    "decode",
    "parse",
    "parse_all",
    "plain",
    "read",
    "read_all",
    "read_text",
]
