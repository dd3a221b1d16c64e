"""Docker archives made by hand: one layer, a configuration and a manifest in a tar file."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from pathlib import Path

PAUSE = "docker.io/library/vip-lab-pause:1"

_ARCHITECTURE = "amd64"
_LOAD_ADDRESS = 0x400000
_HEADERS_BYTES = 64 + 56
# again: mov eax, 34 (pause); syscall; jmp again
_CODE = bytes.fromhex("b822000000 0f05 ebf7")


def write_pause(path: Path) -> None:
    """Write the image of the program that holds a pod's namespaces open."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        program = _pause_program()
        entry = tarfile.TarInfo("pause")
        entry.mode = 0o755
        entry.size = len(program)
        tar.addfile(entry, io.BytesIO(program))
    layer_file = path.with_suffix(".layer")
    layer_file.write_bytes(layer.getvalue())
    write_archive(path, PAUSE, layer_file, entrypoint=["/pause"])
    layer_file.unlink()


def write_archive(path: Path, name: str, layer: Path, *, entrypoint: list[str]) -> None:
    """Write an image of one layer.

    Args:
        path: the archive to write.
        name: of the image, with its tag.
        layer: an uncompressed tar file.
        entrypoint: what it runs by default.
    """
    with layer.open("rb") as file:
        layer_hash = hashlib.file_digest(file, "sha256").hexdigest()
    configuration = {
        "architecture": _ARCHITECTURE,
        "os": "linux",
        "config": {"Entrypoint": entrypoint},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_hash}"]},
    }
    content = json.dumps(configuration).encode()
    configuration_name = f"{hashlib.sha256(content).hexdigest()}.json"
    manifest = [{"Config": configuration_name, "RepoTags": [name], "Layers": [f"{layer_hash}.tar"]}]
    with tarfile.open(path, "w") as tar:
        tar.add(layer, f"{layer_hash}.tar")
        _add(tar, configuration_name, content)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _pause_program() -> bytes:
    """Return an x86_64 ELF executable: one segment with the headers and the code behind them."""
    size = _HEADERS_BYTES + len(_CODE)
    identification = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack(
        "<HHIQQQIHHHHHH",
        *(2, 62, 1),  # executable, x86_64, version
        *(_LOAD_ADDRESS + _HEADERS_BYTES, 64, 0),  # entry, program headers, no section headers
        *(0, 64, 56, 1, 64, 0, 0),  # flags, sizes and counts of headers
    )
    segment = struct.pack(
        "<IIQQQQQQ", 1, 5, 0, _LOAD_ADDRESS, _LOAD_ADDRESS, size, size, 0x1000
    )  # loaded, read and execute
    return identification + header + segment + _CODE
