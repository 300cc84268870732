"""What is wrong with a parameter, in a sentence."""

from typing import Any

RENAMED: dict[str, str] = {}
"""Old names of parameters, dotted, and what they are called now."""


def problem_text(details: Any) -> str:
    """One error of pydantic's as a sentence, with the parameter's name and value."""
    name = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        new_name = RENAMED.get(name)
        return f"{name}: is called {new_name} now" if new_name else f"{name}: unknown parameter"
    if details["type"] == "missing":
        return f"{name}: missing"
    message = details["msg"].removeprefix("Value error, ")
    if not name:  # Said of all parameters together, by one of the checks above.
        return message
    return f"{name} = {details['input']!r}: {message[0].lower()}{message[1:]}"
