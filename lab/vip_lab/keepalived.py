"""Debian's keepalived on a host: the peer that we must get along with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from vip_lab.host import INTERFACE, Host
from vip_lab.namespaces import LabError, run
from vip_lab.process import Process

_PID_FILES = ("keepalived.pid", "keepalived-vrrp.pid")


@dataclass(frozen=True)
class KeepalivedInstance:
    """One vrrp_instance.

    Attributes:
        virtual_router_id: VRID.
        priority: 1-254.
        interval_ms: Advertisement_Interval in milliseconds.
        addresses: virtual addresses, of one family.
        preempt: whether it takes over from a lower Active.
    """

    virtual_router_id: int
    priority: int
    interval_ms: int
    addresses: Sequence[str]
    preempt: bool = True

    def text(self, name: str) -> str:
        """Return the stanza of keepalived.conf."""
        lines = [
            f"vrrp_instance {name} {{",
            "  state BACKUP",
            f"  interface {INTERFACE}",
            f"  virtual_router_id {self.virtual_router_id}",
            f"  priority {self.priority}",
            f"  advert_int {self.interval_ms / 1000:g}",
            "  accept",  # otherwise keepalived drops what is sent to the addresses
            *([] if self.preempt else ["  nopreempt"]),
            "  virtual_ipaddress {",
            *(f"    {_with_prefix(address)} dev {INTERFACE}" for address in self.addresses),
            "  }",
            "}",
        ]
        return "\n".join(lines)


class Keepalived:
    """keepalived in the foreground with files of its own, VRRP version 3."""

    def __init__(self, host: Host, *instances: KeepalivedInstance) -> None:
        self._host = host
        self._instances = instances
        self._process: Process | None = None

    def start(self) -> None:
        """Write the configuration and start it. Raises LabError if it is not installed."""
        if (reason := why_no_keepalived()) is not None:
            raise LabError(reason)
        directory = self._host.directory
        # A killed one leaves its files, and takes them for those of a running one.
        for name in (*_PID_FILES, "keepalived.log"):
            (directory / name).unlink(missing_ok=True)
        configuration = directory / "keepalived.conf"
        stanzas = [one.text(f"vi{number}") for number, one in enumerate(self._instances, start=1)]
        head = f"global_defs {{\n  router_id {self._host.name}\n  vrrp_version 3\n}}"
        configuration.write_text("\n\n".join([head, *stanzas]) + "\n")
        self._process = self._host.start(
            "keepalived",
            [
                *("keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp"),
                *("--use-file", str(configuration)),
                *("--pid", str(directory / _PID_FILES[0])),
                *("--vrrp_pid", str(directory / _PID_FILES[1])),
            ],
            preferred=True,
        )

    def stop(self) -> None:
        """Stop it in an orderly way: it sends priority 0 and removes its addresses."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """Kill all of it at once: its addresses stay in the kernel."""
        if self._process is not None:
            self._process.kill()

    def log(self) -> str:
        """Return what it has printed since its start."""
        return self._process.text() if self._process is not None else ""


def why_no_keepalived() -> str | None:
    """Return why keepalived cannot be used here, None if it can."""
    if shutil.which("keepalived") is None:
        return "needs keepalived: `make setup` installs it on Debian"
    return None


def version() -> str:
    """Return keepalived's own words for its version."""
    return run("sh", "-c", "keepalived --version 2>&1 | head -n 1").strip()


def _with_prefix(address: str) -> str:
    return f"{address}/{ip_address(address).max_prefixlen}"
