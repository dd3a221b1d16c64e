"""What the speaker lacks is said in one sentence, before anything is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from vip_speaker.linux import capability
from vip_speaker.linux.capability import MissingCapabilityError, check_capabilities

ADMIN, RAW = 1 << 12, 1 << 13


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is read in place of /proc/self/status."""
    path = tmp_path / "status"
    monkeypatch.setattr(capability, "_STATUS", path)
    return path


def effective(bits: int) -> str:
    """Return the part of /proc/self/status that tells of capabilities."""
    return f"CapPrm:\t000001ffffffffff\nCapEff:\t{bits:016x}\nCapBnd:\t000001ffffffffff\n"


@pytest.mark.parametrize(
    ("bits", "missing"),
    [(RAW, "CAP_NET_ADMIN"), (ADMIN, "CAP_NET_RAW"), (0, "CAP_NET_ADMIN and CAP_NET_RAW")],
)
def test_missing(status: Path, bits: int, missing: str) -> None:
    """Every missing capability is named in one line, with three ways to get it."""
    status.write_text(effective(bits), encoding="ascii")

    with pytest.raises(MissingCapabilityError) as caught:
        check_capabilities()

    assert caught.value.capability == missing
    assert str(caught.value).startswith(f"{missing} is needed")
    assert "AmbientCapabilities" in str(caught.value)
    assert "securityContext" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [effective(ADMIN | RAW), effective(2**41 - 1), "Name:\tx\n"])
def test_nothing_to_say(status: Path, text: str) -> None:
    """With both capabilities, or where the kernel does not tell, nothing is raised."""
    status.write_text(text, encoding="ascii")

    check_capabilities()


def test_without_proc(status: Path) -> None:
    """Without /proc nothing is raised: the kernel will say it later."""
    check_capabilities()
