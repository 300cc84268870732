"""Text that comes from outside, such as names of files, made harmless to show."""

import unicodedata


def printable(text: str) -> str:
    r"""Text on one line, without characters that cannot be seen.

    Line breaks, control characters, and marks that turn the direction of writing are shown as
    Python writes them; letters of every script stay.

    Example:
        >>> printable("two\nlines \x1b[31m né")
        'two\\nlines \\x1b[31m né'
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    # C: control, format, surrogate, private, unassigned. Zl and Zp: line and paragraph separators.
    category = unicodedata.category(character)
    if category.startswith("C") or category in {"Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return character
