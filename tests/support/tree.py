"""The files of this repository, without what tools leave in it."""

from __future__ import annotations

from pathlib import Path

from support.rings import ROOT

_NOT_OURS = {".git", ".venv", ".hypothesis", "__pycache__", "dist"}


def _is_ours(path: Path) -> bool:
    folders = path.relative_to(ROOT).parts
    return not any(part in _NOT_OURS or part.endswith(("cache", ".egg-info")) for part in folders)


def our_files(pattern: str = "*") -> list[Path]:
    """Return every file that matches, in order of path."""
    return sorted(path for path in ROOT.rglob(pattern) if path.is_file() and _is_ours(path))
