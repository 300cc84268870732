"""The error that is shown to the user."""


class UserError(Exception):
    """A mistake that the user can fix.

    The user sees the message alone, without a traceback: it names the file or the value, and says
    what to do.
    """
