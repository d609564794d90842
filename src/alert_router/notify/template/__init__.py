"""Templates of notifiers: Jinja in a sandbox, for titles and for messages."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from alert_router.notify.template.template import Template, TemplateError


def _compile(value: Any) -> Any:
    if isinstance(value, Template) or value is None:
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a template's text")
    try:
        return Template(value)
    except TemplateError as error:
        raise ValueError(f"the template cannot be used: {error}") from None


TemplateField = Annotated[
    Template, BeforeValidator(_compile), PlainSerializer(lambda template: template.source)
]

__all__ = ["Template", "TemplateError", "TemplateField"]
