"""The speakers of a LAN, all with the same manifest or cluster, and who of them holds what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vip_lab.lan import Lan
from vip_lab.speaker import JsonObject, Speaker
from vip_lab.wait import NotInTimeError, until

_LOG_LINES = 25


class Fleet:
    """One speaker on each of these hosts.

    Args:
        lan: where they are.
        names: the hosts that run a speaker.
        manifest: text of the vip.yaml that each of them gets; None without one.
        options: further words for each command line.
        kubeconfig: how they reach the cluster that they follow; None: they follow the manifest.
    """

    def __init__(
        self,
        lan: Lan,
        names: Sequence[str],
        manifest: str | None = None,
        options: Sequence[str] = (),
        *,
        kubeconfig: Path | None = None,
    ) -> None:
        assert (manifest is None) != (kubeconfig is None), "manifest or cluster"
        self.lan = lan
        self._speakers = {
            name: Speaker(lan[name], *options, kubeconfig=kubeconfig) for name in names
        }
        if manifest is not None:
            self.write(manifest)

    def __getitem__(self, name: str) -> Speaker:
        return self._speakers[name]

    def __iter__(self) -> Iterator[Speaker]:
        return iter(self._speakers.values())

    @property
    def names(self) -> list[str]:
        """The hosts, in the order they were given."""
        return list(self._speakers)

    def others(self, name: str) -> list[str]:
        """Return every host but this one."""
        return [other for other in self._speakers if other != name]

    def write(self, manifest: str) -> None:
        """Put the same manifest on every host."""
        for speaker in self:
            speaker.write(manifest)

    def start(self) -> None:
        """Start every speaker."""
        for speaker in self:
            speaker.start()

    def end(self) -> None:
        """Leave nothing of any speaker behind."""
        for speaker in self:
            speaker.end()

    # --- who is what -----------------------------------------------------------------------------

    def states(self, router: str, family: str = "IPv4") -> dict[str, str | None]:
        """Return the state of one virtual router on each host; None where nobody answers."""
        return {name: one.state(router, family) for name, one in self._speakers.items()}

    def actives(self, router: str, family: str = "IPv4") -> list[str]:
        """Return the hosts that say they are Active."""
        return [name for name, state in self.states(router, family).items() if state == "Active"]

    def holder(self, address: str) -> str | None:
        """Return the one host that has the address in its kernel; None if none or several."""
        holders = self.lan.holders(address)
        return holders[0] if len(holders) == 1 else None

    def await_holder(self, address: str, among: Sequence[str], seconds: float) -> str:
        """Return the only host that holds the address, once it is one of these."""

        def look() -> str | None:
            holder = self.holder(address)
            return holder if holder in among else None

        try:
            holder = until("", look, seconds)
        except NotInTimeError:
            wanted = " or ".join(among)
            raise NotInTimeError(
                f"waited {seconds:g} s for {address} on {wanted} alone, "
                f"it is on {self.lan.holders(address) or 'no host'}"
            ) from None
        assert holder is not None
        return holder

    def await_settled(self, router: str, seconds: float, family: str = "IPv4") -> str:
        """Return the Active of a virtual router once every other host is a Backup.

        Settled also means that every Backup has heard the Active, that no gate of any host is
        without a passing verdict and that nobody is still yielding.
        """
        active = until(
            f"one Active and nothing but Backups of {router}",
            lambda: self._settled_on(router, family),
            seconds,
            every=0.05,
            show=lambda: self.describe(router, family),
        )
        assert active is not None
        return active

    def _settled_on(self, router: str, family: str) -> str | None:
        """Return the Active if the election is settled."""
        seen = {name: one.router(router, family) for name, one in self._speakers.items()}
        known = [one for one in seen.values() if one is not None]
        backups = [one for one in known if one["state"] == "Backup"]
        actives = [name for name, one in seen.items() if one and one["state"] == "Active"]
        settled = (
            len(actives) == 1
            and len(backups) == len(self._speakers) - 1
            and all(backup["activeSource"] for backup in backups)
            and all(_is_calm(one) for one in known)
        )
        return actives[0] if settled else None

    # --- for people ------------------------------------------------------------------------------

    def describe(self, router: str, family: str = "IPv4") -> str:
        """Return what each host says of a virtual router, one line for all."""
        seen = {name: one.router(router, family) for name, one in self._speakers.items()}
        return ", ".join(f"{name}: {_words(one)}" for name, one in seen.items())

    def last_words(self) -> str:
        """Return the end of each speaker's log."""
        parts = []
        for speaker in self:
            tail = "\n".join(speaker.log().splitlines()[-_LOG_LINES:])
            parts.append(f"--- log of {speaker.host.name}\n{tail}")
        return "\n".join(parts)


def _is_calm(router: JsonObject) -> bool:
    counted = ("Passing", "NotApplicable")
    return not router.get("yielding") and all(gate["state"] in counted for gate in router["gates"])


def _words(router: JsonObject | None) -> str:
    if router is None:
        return "no answer"
    gates = [f"gate {gate['name']} {gate['state']}" for gate in router["gates"]]
    words = [router["state"], *(["yielding"] if router.get("yielding") else [])]
    words += [f"({router['reason']})"] if router.get("reason") else []
    return " ".join([*words, *gates])
