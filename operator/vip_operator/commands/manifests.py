"""The manifests that the command names: files, directories, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from vip_common.manifests.documents import DocumentError, decode
from vip_common.manifests.reading import ManifestsError, read

STANDARD_INPUT = "-"


def read_all(names: Iterable[str]) -> list[tuple[str, object]]:
    """Return every document with where it was read.

    Args:
        names: files, directories (their *.yaml, *.yml and *.json are read), `-` for standard
            input.

    Raises:
        ManifestsError: something cannot be read or decoded.
    """
    return [document for name in names for document in _read(name)]


def _read(name: str) -> Iterator[tuple[str, object]]:
    if name == STANDARD_INPUT:
        try:
            found = decode("standard input", sys.stdin.buffer.read())
        except DocumentError as error:
            raise ManifestsError(str(error)) from error
    else:
        found = list(read(Path(name)).documents)
    for document in found:
        yield document.origin, document.content
