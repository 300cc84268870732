"""The one error that speaks to the user."""


class UserError(Exception):
    """Something that the user can mend.

    The message is all that the user sees, without a traceback: it names the file or the value,
    and says what to do about it.
    """
