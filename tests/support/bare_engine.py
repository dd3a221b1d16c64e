"""An engine without an agent: the test speaks to its socket, word by word."""

from __future__ import annotations

import socket
from typing import Any

from vip_lab.host import Host
from vip_lab.speaker import Speaker
from vip_lab.wait import until
from vip_model.vocabulary import Family
from vip_speaker import messages
from vip_speaker.messages import Desired, DesiredInstance, DesiredRouter, Verdicts

NAME = "vip.default.web"
SHOWN = "default/web"


def router(*addresses: str, **fields: Any) -> DesiredRouter:
    """Return a router of VRID 51 with these IPv4 addresses, fast enough for many tests."""
    instance = DesiredInstance(
        family=Family.IPV4,
        virtual_router_id=fields.pop("virtual_router_id", 51),
        addresses=list(addresses),
        interfaces=fields.pop("interfaces", []),
        sources=fields.pop("sources", None),
    )
    values: dict[str, Any] = {
        "name": NAME,
        "display_name": SHOWN,
        "priority": 254,
        "advertisement_interval_milliseconds": 200,
        "instances": [instance],
    }
    return DesiredRouter(**{**values, **fields})


class BareEngine(Speaker):
    """`vip-speaker supervisor`: an engine and nobody who tells it anything but the test."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.revision = 0

    def desire(self, *routers: DesiredRouter, **fields: Any) -> None:
        """Say what is desired, and wait until the engine has taken it."""
        self.say_desired(*routers, **fields)
        self.await_taken()

    def say_desired(self, *routers: DesiredRouter, **fields: Any) -> None:
        """Say what is desired; a static file that holds just that, unless told otherwise."""
        self.revision += 1
        values = {"node": self.host.name, "revision": self.revision, "complete": True}
        self._say(Desired(routers=list(routers), **{**values, **fields}))

    def await_taken(self) -> None:
        """Wait until the engine has taken what was said last."""
        until(
            "the engine to take it",
            lambda: (self.try_status() or {}).get("revision") == self.revision,
            5,
        )

    def say_verdicts(self, verdicts: Verdicts) -> None:
        """Say what the gates found."""
        self._say(verdicts)

    def await_state(self, state: str, seconds: float = 6.0) -> dict[str, Any]:
        """Return the router's status once it is in that state."""

        def look() -> dict[str, Any] | None:
            found = self.router(SHOWN)
            return found if found is not None and found["state"] == state else None

        found = until(
            f"{state} on {self.host.name}", look, seconds, show=lambda: self.router(SHOWN)
        )
        assert found is not None
        return found

    def _say(self, message: messages.Message) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(messages.encode(message))

    def _run_command(self) -> list[str]:
        return [
            *(self.program, "supervisor", "--node", self.host.name),
            *("--state-directory", str(self.state_directory), "--socket", str(self.socket)),
        ]
