"""What the speaker may do, and the error for one that may not do its work."""

from __future__ import annotations

import re
from pathlib import Path

_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
_PURPOSES = {"CAP_NET_ADMIN": "to bind addresses", "CAP_NET_RAW": "to speak VRRP"}
_STATUS = Path("/proc/self/status")


class MissingCapabilityError(PermissionError):
    """The kernel refused something that needs a capability; the text says which and how to get it.

    Attributes:
        capability: CAP_NET_RAW or CAP_NET_ADMIN, or both.
    """

    def __init__(self, capability: str, purpose: str) -> None:
        super().__init__(
            f"{capability} is needed {purpose}: run the speaker as root, with "
            f"AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its systemd unit, or with "
            f"NET_ADMIN and NET_RAW in securityContext.capabilities.add of its container"
        )
        self.capability = capability


def check_capabilities() -> None:
    """Raise MissingCapabilityError if this process lacks CAP_NET_ADMIN or CAP_NET_RAW.

    Says it before the first socket is opened; without /proc the kernel will say it later.
    """
    try:
        effective = re.search(r"^CapEff:\s*([0-9a-f]+)$", _STATUS.read_text("ascii"), re.MULTILINE)
    except OSError:
        return
    if effective is None:
        return
    bits = int(effective[1], 16)
    missing = [name for name, number in _CAPABILITIES.items() if not bits >> number & 1]
    if missing:
        purpose = " and ".join(_PURPOSES[name] for name in missing)
        raise MissingCapabilityError(" and ".join(missing), purpose)
