"""The networks' tests once more, with Keras on JAX.

A choice of them, for JAX compiles for minutes. All: ``KERAS_BACKEND=jax pytest tests/networks``.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

HERE = Path(__file__).parent
CHOICE = "unpooling or upsampling or parameters or fcn8s or (architectures and segnet and not unet)"


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="These tests are running on JAX already."
)
@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed (pip install -e '.[jax]').",
)
def test_networks_on_jax() -> None:
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CHOICE, str(HERE)],
        cwd=HERE.parents[1],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout
