"""A reflector: keeps somebody told of all objects of a kind, through whatever happens.

List, watch from there, and after a watch that cannot go on list again and compare: what vanished
meanwhile is told as deleted, which a watch alone would never say.
"""

from __future__ import annotations

from typing import Protocol

from vip_kube.client import EVERYTHING, Client, Object, Selection
from vip_kube.kinds import Kind


class Handler(Protocol):
    """Who is told. All calls come from the reflector's task, in order, and must not block."""

    def upsert(self, content: Object) -> None:
        """An object is new or another than before."""

    def delete(self, content: Object) -> None:
        """An object is gone; its last known content."""

    def synced(self) -> None:
        """A complete list has been told; called after each list, the first and every other."""


class Reflector:
    """Follows one kind until cancelled.

    Trouble with the API ends nothing: it lists and watches again with a jittered back-off.
    Objects are told apart by uid, so that one deleted and created anew under the same name is
    told as deleted first. An object that a relist brings unchanged is not told again.

    Args:
        client: open for as long as this runs.
        kind: what is followed.
        handler: who is told.
        selection: which of them.
    """

    def __init__(
        self, client: Client, kind: Kind, handler: Handler, selection: Selection = EVERYTHING
    ) -> None:
        raise NotImplementedError

    @property
    def has_synced(self) -> bool:
        """A complete list has been told once."""
        raise NotImplementedError

    @property
    def trouble(self) -> str:
        """Why nothing is heard at the moment, for a person to read; empty while all is well."""
        raise NotImplementedError

    async def run(self) -> None:
        """Follow until cancelled."""
        raise NotImplementedError
