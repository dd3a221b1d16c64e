"""The manifests that the command names: files, directories, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from vip_common.manifests.documents import DocumentError, decode
from vip_common.manifests.reading import ManifestsError, Reading, read

STANDARD_INPUT = "-"


def read_all(names: Iterable[str]) -> Reading:
    """Return every document, and what was skipped.

    Args:
        names: files, directories (their *.yaml, *.yml and *.json are read), `-` for standard
            input.

    Raises:
        ManifestsError: something cannot be read or decoded.
    """
    found = [_read(name) for name in names]
    return Reading(
        tuple(document for each in found for document in each.documents),
        tuple(sentence for each in found for sentence in each.skipped),
    )


def _read(name: str) -> Reading:
    if name != STANDARD_INPUT:
        return read(Path(name))
    try:
        return Reading(tuple(decode("standard input", sys.stdin.buffer.read())))
    except DocumentError as error:
        raise ManifestsError(str(error)) from error
