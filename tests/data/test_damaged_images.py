"""Thousands of damaged files of each format, through the one door, with limits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = 2000
SEED = 20250101
REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF"])
def test_no_damaged_file_hangs_crashes_or_fills_the_memory(kind: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif")
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.damaged_images", kind, str(COUNT), str(SEED)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert 0 < int(run.stdout) < 2 * COUNT
