"""Which addresses are ours: the tag that tells them from everybody else's.

An address of somebody else is never deleted, shortened or renewed, so the tag must survive us: it
is kept in the kernel, with the address.
"""

from __future__ import annotations

import os
import re

from vip_speaker.linux.rtnetlink import (
    IFA_F_DEPRECATED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    InterfaceAddress,
)

# IFA_PROTO of our addresses: VRRP's IP protocol number. Shown by `ip address` as `proto 0x70`.
PROTOCOL = 112
_LABEL_SUFFIX = ":vip112"
_LABEL_BYTES = 15
_OLD_IPV6_FLAGS = IFA_F_NODAD | IFA_F_DEPRECATED | IFA_F_NOPREFIXROUTE


def kernel_keeps_protocol(release: str) -> bool:
    """Tell from the kernel's release whether it stores IFA_PROTO: Linux 5.18 and later."""
    version = re.match(r"(\d+)\.(\d+)", release)
    return version is not None and (int(version[1]), int(version[2])) >= (5, 18)


KEEPS_PROTOCOL = kernel_keeps_protocol(os.uname().release)


def label_for(interface: str) -> str:
    """Return the label that marks our IPv4 addresses where the kernel stores no IFA_PROTO."""
    return interface[: _LABEL_BYTES - len(_LABEL_SUFFIX)] + _LABEL_SUFFIX


def is_ours(address: InterfaceAddress, *, keeps_protocol: bool = KEEPS_PROTOCOL) -> bool:
    """Tell whether a speaker added this address, in this or an earlier life.

    Before Linux 5.18 an IPv4 address is known by its label. IPv6 has no labels: there it is the
    combination of flags with a finite lifetime, which nothing else is known to use on a /128.
    """
    if address.prefix_length != address.address.max_prefixlen:
        return False
    if keeps_protocol:
        return address.protocol == PROTOCOL
    if address.valid_seconds is None:
        return False
    if address.family == 4:
        return address.label.endswith(_LABEL_SUFFIX)
    return address.flags & _OLD_IPV6_FLAGS == _OLD_IPV6_FLAGS
