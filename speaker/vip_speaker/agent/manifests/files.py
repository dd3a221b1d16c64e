"""Manifests on disk: seeing that they changed.

Stat is polled, since it works on every file system and for every way of writing: in place, by
rename, by a symbolic link that is turned (as kubelet does with a ConfigMap).
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from vip_common.manifests.documents import Document
from vip_common.manifests.reading import ManifestsError, list_files, parse, read_file

POLL_SECONDS = 0.25

_AT_REST_NS = 1_000_000_000

_Fingerprint = tuple[tuple[str, int, int, int], ...] | str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The manifests at one moment: either documents or why there are none.

    Attributes:
        documents: what they hold.
        problems: why nothing of it counts.
        skipped: what is named like a manifest and is none.
    """

    documents: tuple[Document, ...] = ()
    problems: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


class Watcher:
    """Tells when the manifests have changed and come to rest.

    A file that was touched less than a second ago is read only once it looked the same at two
    polls, so that a half-written one is not taken for a shorter one.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._seen: _Fingerprint | None = None
        self._taken: _Fingerprint | None = None
        self._digest = b""

    def poll(self) -> Snapshot | None:
        """Return the manifests if they are others than the last ones returned, else None."""
        before, self._seen = self._seen, _fingerprint(self._source)
        if self._seen == self._taken:
            return None
        if self._seen != before and not _at_rest(self._seen):
            return None
        snapshot, digest = _take(self._source)
        if _fingerprint(self._source) != self._seen:
            return None  # somebody wrote meanwhile: the next poll looks again
        self._taken = self._seen
        if digest == self._digest:
            return None
        self._digest = digest
        return snapshot


def _take(source: Path) -> tuple[Snapshot, bytes]:
    """Return what is there now and a digest of it."""
    try:
        listing = list_files(source)
        contents = [(path, read_file(path, regular=True)) for path, _ in listing.files]
    except ManifestsError as error:
        return Snapshot(problems=error.problems), str(error).encode()
    digest = hashlib.sha256("\0".join(listing.skipped).encode())
    for path, content in contents:
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    try:
        return Snapshot(parse(contents), skipped=listing.skipped), digest.digest()
    except ManifestsError as error:
        return Snapshot(problems=error.problems), digest.digest()


def _fingerprint(source: Path) -> _Fingerprint:
    """Return what changes whenever the files do, or the error that hides them."""
    try:
        listing = list_files(source)
    except ManifestsError as error:
        return str(error)
    return tuple(
        (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in listing.files
    )


def _at_rest(fingerprint: _Fingerprint) -> bool:
    if isinstance(fingerprint, str):
        return False
    latest = max((mtime_ns for _, _, _, mtime_ns in fingerprint), default=0)
    return time.time_ns() - latest > _AT_REST_NS
