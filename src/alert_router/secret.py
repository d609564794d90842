"""Secrets: values that come from files or the environment and never appear in any text.

Where a secret is configured belongs to the models that hold one; nothing is read before use.
"""

import os
from dataclasses import dataclass
from pathlib import Path


class SecretUnavailable(Exception):
    """The secret cannot be had now; the message names the file or variable, never a value."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A reference to a secret: a file (read anew at each use, so rotation needs nothing),
    an environment variable, or a plain value. Exactly one of the three is set."""

    file: Path | None = None
    env: str | None = None
    plain: str | None = None

    def read(self) -> str:
        """The value, without surrounding white space. Raises SecretUnavailable."""
        if self.file is not None:
            return self._from_file(self.file)
        if self.env is not None:
            value = os.environ.get(self.env, "").strip()
            if not value:
                raise SecretUnavailable(f"environment variable {self.env} is not set or empty")
            return value
        assert self.plain is not None
        return self.plain

    @staticmethod
    def _from_file(path: Path) -> str:
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SecretUnavailable(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise SecretUnavailable(f"{path} is not UTF-8 text") from None
        if not value:
            raise SecretUnavailable(f"{path} is empty")
        return value

    def __repr__(self) -> str:
        if self.file is not None:
            return f"Secret(file={self.file})"
        if self.env is not None:
            return f"Secret(env={self.env})"
        return "Secret(plain)"

    __str__ = __repr__
