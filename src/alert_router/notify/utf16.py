"""Lengths in UTF-16 code units, as some destinations count them: an emoji is two."""


def units(text: str) -> int:
    """UTF-16 code units of a text."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
