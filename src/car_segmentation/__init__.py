"""Cut cars out of studio photos with very high precision."""

import os

__version__ = "0.1.0"

# Remarks of libraries at start-up, on which a user cannot act, and a report to a third party.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# TensorFlow keeps the memory of a step for the next one; otherwise the C library gives large maps
# back to the system, from which they are fetched again page by page.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
