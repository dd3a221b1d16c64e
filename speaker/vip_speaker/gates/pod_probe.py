"""Probes of the pods behind a gate `pods`, one prober per pod.

A pod is asked at its own address, which with hostNetwork is that of the node. A `host` other than
the default 127.0.0.1 is asked as it is written, for every pod: `localhost` for a program with
hostNetwork that listens on loopback only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from vip_model.resources.gate import LOCALHOST, PodProbe
from vip_model.vocabulary import GateState
from vip_speaker.gates import http_get
from vip_speaker.gates.periodic import PeriodicGate, Probe, schedule_of
from vip_speaker.gates.surroundings import LocalPod
from vip_speaker.gates.tcp_socket import TCPProbe
from vip_speaker.messages import Verdict

_NO_ADDRESS = Verdict(state=GateState.UNKNOWN, reason="it has no address yet")
_UNDECIDED = Verdict(state=GateState.UNKNOWN, reason="its probe has no verdict yet")

_Key = tuple[str, str]  # name of the pod, host that is asked


class PodProbers:
    """Keeps one prober at work for each pod that is wanted.

    Args:
        wanted: what is asked, and how often.
        on_change: called when what a probe says is another.
    """

    def __init__(self, wanted: PodProbe, on_change: Callable[[], None]) -> None:
        self._wanted = wanted
        self._on_change = on_change
        self._running: dict[_Key, PeriodicGate] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def follow(self, pods: Iterable[LocalPod]) -> None:
        """Probe exactly these pods from now on; one with a new address is probed anew."""
        wanted = [key for pod in pods if (key := self._key(pod))[1]]
        for key in self._running.keys() - wanted:
            self._end(self._running.pop(key))
        for key in wanted:
            if key not in self._running:
                self._running[key] = self._begin(key)

    def verdict(self, pod: LocalPod) -> Verdict:
        """Return what the probe of a pod says; Unknown until its thresholds have decided."""
        prober = self._running.get(self._key(pod))
        if prober is None:
            return _NO_ADDRESS
        found = prober.verdict
        return _UNDECIDED if found.state is GateState.UNKNOWN else found

    async def stop(self) -> None:
        """End every probe, those included whose pods went before."""
        self.follow(())
        await asyncio.gather(*self._ending)

    def _begin(self, key: _Key) -> PeriodicGate:
        _name, host = key
        prober = PeriodicGate(schedule_of(self._wanted), self._probe(host), self._on_change)
        prober.start()
        return prober

    def _end(self, prober: PeriodicGate) -> None:
        """End a prober in the background: a change of the pods is judged without waiting."""
        task = asyncio.get_running_loop().create_task(prober.stop())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _key(self, pod: LocalPod) -> _Key:
        written = self._host_as_written()
        return pod.name, pod.address if written == LOCALHOST else written

    def _host_as_written(self) -> str:
        asked = self._wanted.http_get or self._wanted.tcp_socket
        assert asked is not None
        return asked.host

    def _probe(self, host: str) -> Probe:
        if self._wanted.http_get is not None:
            return http_get.probe_of(self._wanted.http_get, host)
        assert self._wanted.tcp_socket is not None
        return TCPProbe(host, self._wanted.tcp_socket.port)
