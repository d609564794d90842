"""Secret fields of notifiers: `url_file: path`, `url: ${ENV}` or, plainly, `url: value`.

A notifier declares `url: SecretField`; its base reads either spelling. Nothing is read from a
file or the environment before it is used.
"""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from alert_router.fields import Secret

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _from_text(value: Any) -> Any:
    if isinstance(value, Secret) or value is None:
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected text, or ${VARIABLE}")
    text = value.strip()
    if found := _ENV.fullmatch(text):
        return Secret(env=found[1])
    return Secret(plain=text)


# Dumped, it is only ever its description: a dataclass would be dumped with its values.
SecretField = Annotated[Secret, BeforeValidator(_from_text), PlainSerializer(str)]


def fold_files(data: dict[str, Any], names: list[str], info: ValidationInfo) -> dict[str, Any]:
    """The data with every `name_file` turned into the secret `name`. Paths are relative to the
    directory in the context's `base`. Raises ValueError where both are given."""
    folded = dict(data)
    for name in names:
        key = f"{name}_file"
        if key not in folded:
            continue
        path = folded.pop(key)
        if not isinstance(path, str | Path) or not str(path).strip():
            raise ValueError(f"`{key}`: expected the path of a file")
        if folded.get(name) is not None:
            raise ValueError(f"give one of `{name}` and `{key}`, not both")
        base = (info.context or {}).get("base", Path())
        folded[name] = Secret(file=Path(base) / path)
    return folded
