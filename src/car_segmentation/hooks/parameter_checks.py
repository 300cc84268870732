"""Parameters are checked before anything else looks at them."""

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from car_segmentation.hooks.session import Session, user_errors_as_click


class ParameterChecks:
    """Fills the session that the other hooks share."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check all parameters at once."""
        with user_errors_as_click():
            self._session.begin(context)
