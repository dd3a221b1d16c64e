"""Which files are manifests, and what they hold."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from vip_common.manifests.documents import MOST_BYTES, Document, DocumentError, decode

SUFFIXES = (".yaml", ".yml", ".json")


class ManifestsError(Exception):
    """Files cannot be read as documents: one sentence each says which one, why, and what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a file or directory.

    Attributes:
        files: manifests in order of name, and what they are in the file system.
        skipped: what is named like a manifest and is none, one sentence each.
    """

    files: tuple[tuple[Path, os.stat_result], ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What manifests hold.

    Attributes:
        documents: in order.
        skipped: what is named like a manifest and is none, one sentence each.
    """

    documents: tuple[Document, ...] = ()
    skipped: tuple[str, ...] = ()


def read(source: Path) -> Reading:
    """Return every document of a file, or of the manifests in a directory in order of name.

    A source that is neither, such as a pipe, is read to its end.

    Raises:
        ManifestsError: something there cannot be read.
    """
    listing = list_files(source)
    contents = [(path, read_file(path, regular=source.is_dir())) for path, _ in listing.files]
    return Reading(parse(contents), listing.skipped)


def list_files(source: Path) -> Listing:
    """Return the manifests in a directory, or the file itself.

    Raises:
        ManifestsError: something there cannot be looked at, or the directory holds no manifest.
    """
    try:
        whole = source.stat()
        if not stat.S_ISDIR(whole.st_mode):
            return Listing(((source, whole),))
        found = [
            (path, path.stat())
            for path in sorted(source.iterdir())
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        ]
    except OSError as error:
        raise ManifestsError(_unreadable(error)) from error
    files = tuple((path, each) for path, each in found if stat.S_ISREG(each.st_mode))
    if not files:
        raise ManifestsError(
            f"The directory {source} holds no manifest (*.yaml, *.yml, *.json): "
            "to run without any address, put a file with only a comment into it"
        )
    return Listing(
        files,
        tuple(
            f"Skipped {path}: it is {_kind(each)}, not a file"
            for path, each in found
            if not stat.S_ISREG(each.st_mode)
        ),
    )


def read_file(path: Path, *, regular: bool) -> bytes:
    """Return what a file holds; one byte more than a manifest may have if it is larger.

    Args:
        path: the file.
        regular: refuse anything else, which may have no end or make its reader wait.

    Raises:
        ManifestsError: it cannot be read.
    """
    # A FIFO without a writer must not hold the reader before it is known to be one.
    opener = _open_at_once if regular else None
    try:
        with open(path, "rb", opener=opener) as file:
            found = os.fstat(file.fileno())
            if regular and not stat.S_ISREG(found.st_mode):
                raise ManifestsError(f"Cannot read {path}: it is {_kind(found)}, not a file")
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ManifestsError(_unreadable(error)) from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def parse(contents: list[tuple[Path, bytes]]) -> tuple[Document, ...]:
    """Return the documents of files.

    Raises:
        ManifestsError: some cannot be decoded; each one is named.
    """
    documents: list[Document] = []
    problems: list[str] = []
    for path, content in contents:
        try:
            documents += decode(str(path), content)
        except DocumentError as error:
            problems.append(str(error))
    if problems:
        raise ManifestsError(*problems)
    return tuple(documents)


def _unreadable(error: OSError) -> str:
    """Return why something cannot be read, and what would help where the system's words do not."""
    path = Path(error.filename)
    if error.errno == errno.ELOOP:
        why = "it is a symbolic link that leads back to itself: remove it"
    elif error.errno == errno.ENOENT and path.is_symlink():
        why = f"it is a symbolic link to {path.readlink()}, which does not exist"
    else:
        why = error.strerror or str(error)
    return f"Cannot read {error.filename}: {why}"


def _kind(found: os.stat_result) -> str:
    for is_it, name in _KINDS:
        if is_it(found.st_mode):
            return name
    return "something else"


_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
