"""Versions of a file as Kedro keeps them: ``FILE/VERSION/FILE``, the last the newest."""

from pathlib import Path


def newest_version(path: Path) -> Path:
    """The newest version of a file; the path itself where none are kept."""
    versions = sorted(path.glob(f"*/{path.name}")) if path.is_dir() else []
    return versions[-1] if versions else path


def sibling(path: Path, name: str) -> Path:
    """The file of that name beside a file; beside a version, the same version of it.

    Example:
        >>> sibling(Path("models/a.keras"), "threshold.json").as_posix()
        'models/threshold.json'
        >>> sibling(Path("models/a.keras/2026-01-01/a.keras"), "threshold.json").as_posix()
        'models/threshold.json/2026-01-01/threshold.json'
    """
    version = path.parent
    if version.parent.name != path.name:
        return path.with_name(name)
    return version.parent.with_name(name) / version.name / name
