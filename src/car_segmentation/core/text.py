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


def first_line(error: BaseException) -> str:
    r"""The first line of an error's message, of 200 characters at most; without one, its type.

    Example:
        >>> first_line(OSError("the first\nthe second")), first_line(OSError())
        ('the first', 'OSError')
    """
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:200]


def _visible(character: str) -> str:
    # C: control, format, surrogate, private, unassigned. Zl and Zp: line and paragraph separators.
    category = unicodedata.category(character)
    if category.startswith("C") or category in {"Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return character
