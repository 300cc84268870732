"""What a commit must not bring: outputs of notebooks, and large files. Called by pre-commit.

python .ci/check_files.py notebooks FILE…
python .ci/check_files.py size FILE…
"""

import json
import sys
from pathlib import Path

LARGEST = 1_000_000
"""Bytes. Photos, models and data are not part of the repository."""


def has_output(notebook: Path) -> bool:
    """Whether any cell of a notebook was committed with what it showed, or its number."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def is_large(file: Path) -> bool:
    """Whether a file has more than `LARGEST` bytes."""
    return file.is_file() and file.stat().st_size > LARGEST


CHECKS = {
    "notebooks": (has_output, "has outputs: clear them (Restart Kernel and Clear Outputs)"),
    "size": (is_large, f"has more than {LARGEST:,} bytes"),
}


def main() -> None:
    """Check the files that are named, and fail with a line for each that is not fit."""
    check, reason = CHECKS[sys.argv[1]]
    unfit = [name for name in sys.argv[2:] if check(Path(name))]
    sys.exit("\n".join(f"{name} {reason}" for name in unfit) or 0)


if __name__ == "__main__":
    main()
