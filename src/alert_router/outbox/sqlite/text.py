"""Text that SQLite can hold."""


def clean(text: str) -> str:
    """A destination's answer may end up in it, lone surrogates and all."""
    return text.encode("utf-8", "replace").decode("utf-8")
