"""A gate whose verdict never changes, for kinds that do not count where this speaker runs."""

from __future__ import annotations

from vip_speaker.messages import Verdict


class ConstantGate:
    """Runs nothing."""

    tally = None

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def start(self) -> None:
        """Nothing has to begin."""

    async def stop(self) -> None:
        """Nothing has to end."""
