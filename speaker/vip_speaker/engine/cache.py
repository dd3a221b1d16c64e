"""The last desired state on disk, so that a new engine serves before any agent speaks."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from vip_speaker.messages import Desired, decode_to_engine, encode

_log = logging.getLogger("engine")


def load(path: Path) -> Desired | None:
    """Return what was stored, or None; a damaged file is ignored with a warning."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("Ignored the cache %s: %s", path, error.strerror)
        return None
    try:
        message = decode_to_engine(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _log.warning("Ignored the cache %s: %s", path, error)
        return None
    if isinstance(message, Desired):
        return message
    _log.warning("Ignored the cache %s: it holds no desired state", path)
    return None


def store(path: Path, desired: Desired) -> None:
    """Replace the stored state in one step; a full disk is reported, never fatal."""
    scratch = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(encode(desired))
        scratch.replace(path)
    except OSError as error:
        _log.warning("Could not write the cache %s: %s", path, error.strerror)
