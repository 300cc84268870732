"""A mistake of the user's ends a run with one message, not with a traceback."""

from click import ClickException
from kedro.framework.hooks import hook_impl

from car_segmentation.core.errors import UserError


class UserErrors:
    """Turns an error that the user can fix into its one message."""

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Look for a `UserError` among the causes of the error."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, UserError):
                raise ClickException(str(cause)) from None
            cause = cause.__cause__
