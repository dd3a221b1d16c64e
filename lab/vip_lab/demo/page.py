"""The page that the web servers of all demos serve: it says where it comes from."""

from __future__ import annotations

import time

from vip_lab.client import answers
from vip_lab.host import Host
from vip_lab.wait import until

_SECONDS = 5.0


def await_page(client: Host, address: str, wanted: str) -> str:
    """Wait until the client gets the page of a host through the address; return that host."""
    until(
        f"the page of {wanted}",
        lambda: f"from {wanted}." in (answers(client, address) or ""),
        _SECONDS,
        show=lambda: answers(client, address) or "no answer",
    )
    return wanted


def ms_since(began: float) -> float:
    """Return the time since a moment of the monotonic clock, in milliseconds."""
    return (time.monotonic() - began) * 1000
