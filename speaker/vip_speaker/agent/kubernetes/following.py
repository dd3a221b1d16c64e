"""What this agent follows of the cluster: reflectors that begin and end as they are needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from vip_kube.client import Client, Selection
from vip_kube.kinds import Kind
from vip_kube.reflector import Handler, Reflector
from vip_kube.wire import Pick

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Followed(Protocol[T_co]):
    """Objects of one kind that are followed."""

    @property
    def forbidden(self) -> bool:
        """Whether the API server refuses to show them."""

    def read_also(self, selection: Selection, told: Callable[[], None]) -> None:
        """Read objects that are picked from now on; `told` once all of them have been told."""

    def drop(self, unwanted: Callable[[T_co], bool]) -> None:
        """Forget what is picked no more."""

    def end(self) -> None:
        """Follow them no more."""


class Follow(Protocol):
    """Begins to follow objects."""

    def __call__(
        self,
        kind: Kind,
        handler: Handler[T],
        selection: Selection,
        pick: Pick[T] | None = None,
        trouble_changed: Callable[[], None] = lambda: None,
        /,
    ) -> Followed[T]:
        """Begin; without a pick the whole objects are told."""


class Following:
    """Every reflector of this agent; an asynchronous context manager.

    Args:
        client: open for as long as anything is followed.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._group: asyncio.TaskGroup | None = None
        self._reflectors: set[Reflector[Any]] = set()

    @property
    def troubles(self) -> list[str]:
        """Why something is not heard at the moment, one sentence each."""
        return [each.trouble for each in self._reflectors if each.trouble]

    def run_in(self, group: asyncio.TaskGroup) -> None:
        """Follow within this group; what is followed ends with it."""
        self._group = group

    def follow(
        self,
        kind: Kind,
        handler: Handler[T],
        selection: Selection,
        pick: Pick[T] | None = None,
        trouble_changed: Callable[[], None] = lambda: None,
        /,
    ) -> Followed[T]:
        """Begin to follow objects."""
        assert self._group is not None, "nothing is followed before `run_in`"
        reflector = Reflector(
            self._client, kind, handler, selection, pick=pick, trouble_changed=trouble_changed
        )
        self._reflectors.add(reflector)
        return _Followed(reflector, self._group.create_task(reflector.run()), self._forget)

    def _forget(self, reflector: Reflector[Any]) -> None:
        self._reflectors.discard(reflector)


class _Followed(Followed[T]):
    def __init__(
        self,
        reflector: Reflector[T],
        task: asyncio.Task[None],
        forget: Callable[[Reflector[T]], None],
    ) -> None:
        self._reflector = reflector
        self._task = task
        self._forget = forget

    @property
    def forbidden(self) -> bool:
        return self._reflector.forbidden

    def read_also(self, selection: Selection, told: Callable[[], None]) -> None:
        self._reflector.read_also(selection, told)

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        self._reflector.drop(unwanted)

    def end(self) -> None:
        self._task.cancel()
        self._forget(self._reflector)
