"""One life of kopf: how it reaches the API server."""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.fake_api import FakeApi, serving
from vip_operator.watching import kopf_thread
from vip_operator.watching.kopf_thread import KopfThread
from vip_operator.watching.watch import KINDS


async def until(look: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0.01)


def self_signed(folder: Path, name: str) -> Path:
    """Make a certificate for loopback that vouches for itself, NAME.crt, and its key, NAME.key."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    names = f"-subj /CN={name} -addext subjectAltName=IP:127.0.0.1"
    certificate = folder / f"{name}.crt"
    subprocess.run(
        [*f"{command} {names} -keyout".split(), folder / f"{name}.key", "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_renewed_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kopf reaches a server whose issuer comes into the file of issuers while kopf runs."""
    monkeypatch.setattr(kopf_thread, "_CERTIFICATES_EVERY_SECONDS", 0.05)
    served, other = self_signed(tmp_path, "served"), self_signed(tmp_path, "other")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(served, tmp_path / "served.key")
    ca_file = tmp_path / "ca.crt"
    ca_file.write_bytes(other.read_bytes())
    async with serving(FakeApi(), tls=tls) as api:
        access = api.access(ca_file=ca_file)
        kopf = KopfThread(access, KINDS, "vip-operator/1", lambda *_event: None)
        try:
            await until(lambda: kopf._login._context)
            await asyncio.sleep(0.5)
            assert api.asked == []
            ca_file.write_bytes(b"half of a cert")
            await asyncio.sleep(0.2)
            ca_file.write_bytes(served.read_bytes())
            await until(lambda: api.asked)
        finally:
            await kopf.stop()
            # In production a thread that is slow to end dies with its process. Here neither it nor
            # the connection that kopf leaves open may outlive the test: a later one would fail.
            await asyncio.to_thread(kopf._thread.join, 20)
            gc.collect()
