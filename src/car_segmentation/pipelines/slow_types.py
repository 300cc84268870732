"""Types in the hints of nodes that take long to import: five seconds for Keras, 0.3 for Plotly."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model
    from plotly.graph_objects import Figure
else:
    Figure = Model = Any  # Kedro evaluates hints when it makes nodes.

__all__ = ["Figure", "Model"]
