"""Keeps the speakers' DaemonSet as its template says, and hears why it gets no pods."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

from vip_common.log import Trouble
from vip_kube.backoff import Backoff
from vip_kube.client import Client, Object, Selection
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS, EVENTS
from vip_kube.reflector import Reflector
from vip_operator.speakers.daemonset import (
    Patience,
    Refusals,
    TemplateError,
    differs,
    is_being_deleted,
    wanted_daemon_set,
)

# What the DaemonSet controller tells of a pod that the API server did not take.
_REFUSED_PODS = f"regarding.kind={DAEMON_SETS.name},reason=FailedCreate"
# What is over by itself, or with the next look: users need not hear of it.
_PASSING = frozenset({408, 409, 429})
_FORBIDDEN = 403
_LONGEST_PATIENT_WAIT_SECONDS = 2.0

_log = logging.getLogger("operator.daemonset")


class DaemonSetKeeper:
    """Follows template and DaemonSet, and writes where they differ while we lead.

    What somebody changed in the DaemonSet by hand stays until its template changes.

    Args:
        client: open for as long as this runs.
        namespace: where both live.
        template: name of the ConfigMap.
        leading: whether we may write now.
        changed: called when `trouble` is another than before.
        backoff: between attempts.
        clock: monotonic, in nanoseconds.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        template: str,
        leading: Callable[[], bool],
        *,
        changed: Callable[[], None],
        backoff: Backoff,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._template = template
        self._leading = leading
        self._changed = changed
        self._backoff = backoff
        self._clock = clock
        self._patience = Patience()
        self._wake = asyncio.Event()
        self._attempts = Trouble(_log, "keep the speakers' DaemonSet as its template says")
        self._hindrance = ""
        self._refused = ""
        self._refusals = Refusals()
        wake = self._wake.set
        self._templates = _ByName(wake)
        self._daemon_sets = _ByName(wake, self._refusals.see)
        own = Selection(namespace, fields=f"metadata.name={template}")
        self._needed = (
            Reflector(client, CONFIG_MAPS, self._templates, own),
            # All of the namespace: only the template says what the DaemonSet is called.
            Reflector(client, DAEMON_SETS, self._daemon_sets, Selection(namespace)),
        )
        # A convenience for users: the DaemonSet is kept without it.
        refused = Selection(namespace, fields=_REFUSED_PODS)
        told = _Told(wake, self._refusals, self._daemon_sets)
        self._events = Reflector(client, EVENTS, told, refused)

    @property
    def trouble(self) -> str:
        """Why nodes have no speaker, for users to read; empty where nothing is known."""
        if self._hindrance:
            return f"the speakers' DaemonSet cannot be kept: {self._hindrance}"
        return f"the speakers' pods are refused: {self._refused}" if self._refused else ""

    @property
    def api_troubles(self) -> tuple[str, ...]:
        """What does not work with the API server at the moment, in sentences."""
        reflectors = (*self._needed, self._events)
        troubles = (str(self._attempts), *(each.trouble for each in reflectors))
        return tuple(filter(None, troubles))

    def leadership_changed(self) -> None:
        """Look again: we may write now, or no longer."""
        self._wake.set()

    async def run(self) -> None:
        """Keep it until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in (*self._needed, self._events):
                group.create_task(reflector.run())
            group.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not all(each.has_synced for each in self._needed):
                continue  # whoever changes that wakes us
            before = self.trouble
            wait_seconds = await self._attempt()
            if self.trouble != before:
                self._changed()
            if wait_seconds:
                await asyncio.sleep(wait_seconds)
                self._wake.set()

    async def _attempt(self) -> float:
        """Write if something must be written; return the seconds to wait until the next look."""
        try:
            wanted = self._wanted()
            if self._leading():
                await self._write(wanted)
        except TemplateError as error:
            self._fails(error)
            return 0.0  # the watch tells of the next template
        except (ApiError, UnreachableError) as error:
            return self._after_trouble(error)
        self._hindrance = ""
        self._note_refusal(wanted["metadata"]["name"])
        self._attempts.ends()
        self._patience.renew()
        self._backoff.reset()
        return 0.0

    def _wanted(self) -> Object:
        config_map = self._templates.contents.get(self._template)
        # One that is being deleted takes or orphans its DaemonSet; neither must be undone.
        if config_map is None or is_being_deleted(config_map):
            name = f"{self._namespace}/{self._template}"
            raise TemplateError(f"there is no ConfigMap {name}: install the chart again")
        return wanted_daemon_set(config_map)

    async def _write(self, wanted: Object) -> None:
        name = wanted["metadata"]["name"]
        known = self._daemon_sets
        found, times_told = known.contents.get(name), known.times_told[name]
        if found is None:
            stored = await self._client.create(DAEMON_SETS, wanted, self._namespace)
            known.answered(stored, times_told)
            _log.info("Created DaemonSet %s/%s", self._namespace, name)
        elif differs(wanted, found) and not is_being_deleted(found):
            version = found["metadata"]["resourceVersion"]
            content = {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}}
            stored = await self._client.replace(DAEMON_SETS, name, content, self._namespace)
            known.answered(stored, times_told)
            _log.info("Updated DaemonSet %s/%s to its template", self._namespace, name)

    def _note_refusal(self, name: str) -> None:
        why = self._refusals.of(self._daemon_sets.contents.get(name))
        if why and why != self._refused:
            _log.warning("Pods of DaemonSet %s/%s are refused: %s", self._namespace, name, why)
        elif self._refused and not why:
            _log.info("No pods of DaemonSet %s/%s are refused any more", self._namespace, name)
        self._refused = why

    def _after_trouble(self, error: ApiError | UnreachableError) -> float:
        """Note what went wrong; return the seconds to wait until the next attempt."""
        if not isinstance(error, ApiError):
            self._attempts.begins(error)
            return self._backoff.next_seconds()
        if error.status == _FORBIDDEN and self._is_patient(error):
            return min(self._backoff.next_seconds(), _LONGEST_PATIENT_WAIT_SECONDS)
        if error.status < 500 and error.status not in _PASSING:
            self._fails(error)
        elif error.status != 409:  # that one is not what it seemed; the watch tells what it is
            self._attempts.begins(error)
        return self._backoff.next_seconds(error.retry_after_seconds)

    def _is_patient(self, error: ApiError) -> bool:
        """Return whether it is too early to say that we are forbidden to write."""
        now_ns = self._clock()
        if self._patience.begins(now_ns):
            _log.info("The speakers' DaemonSet may not be written yet, trying again: %s", error)
        return not self._patience.is_over(now_ns)

    def _fails(self, error: Exception) -> None:
        """Note what somebody has to mend."""
        self._hindrance = str(error)
        self._attempts.begins(error)


class _ByName:
    """The objects that a reflector follows, by name.

    Args:
        wake: called after each change.
        see: is given each object that is new or another than before.
    """

    def __init__(
        self, wake: Callable[[], None], see: Callable[[Object], None] | None = None
    ) -> None:
        self.contents: dict[str, Object] = {}
        self.times_told: Counter[str] = Counter()
        self._wake = wake
        self._see = see

    def upsert(self, content: Object) -> None:
        name = content["metadata"]["name"]
        self.times_told[name] += 1
        self.contents[name] = content
        if self._see is not None:
            self._see(content)
        self._wake()

    def delete(self, content: Object) -> None:
        name = content["metadata"]["name"]
        self.times_told[name] += 1
        self.contents.pop(name, None)
        self._wake()

    def answered(self, content: Object, times_told: int) -> None:
        """Take the answer to a write, unless the watch has told of the object since then.

        What it told may be older than the answer, which it then tells as well, or newer: that the
        object is gone again.
        """
        if self.times_told[content["metadata"]["name"]] == times_told:
            self.upsert(content)

    def synced(self) -> None:
        self._wake()


class _Told:
    """What is told of pods that are refused; that it is forgotten after an hour says nothing."""

    def __init__(self, wake: Callable[[], None], refusals: Refusals, daemon_sets: _ByName) -> None:
        self._wake = wake
        self._refusals = refusals
        self._daemon_sets = daemon_sets

    def upsert(self, content: Object) -> None:
        self._refusals.hear(content)
        self._wake()

    def delete(self, _content: Object) -> None:
        """Nothing follows from it."""

    def synced(self) -> None:
        """Forget what was listed of DaemonSets whose pods have long been complete."""
        for daemon_set in self._daemon_sets.contents.values():
            self._refusals.see(daemon_set)
        self._wake()
