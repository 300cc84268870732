from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/car_segmentation"
MOST_LINES = 400


def test_the_package_has_kedros_modules_and_folders_alone() -> None:
    modules = {path.name for path in SOURCE.glob("*.py")}
    assert modules == {"__init__.py", "__main__.py", "pipeline_registry.py", "settings.py"}


def test_no_source_file_is_too_long_to_be_read_at_once() -> None:
    lines = {path: path.read_text().count("\n") for path in SOURCE.rglob("*.py")}
    assert len(lines) > 100
    assert [str(path) for path, number in lines.items() if number > MOST_LINES] == []
