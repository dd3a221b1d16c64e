"""What lists and events change about what is known."""

from __future__ import annotations

from typing import Any

from vip_kube.client import EventType, WatchEvent
from vip_kube.inventory import Change, Inventory


def thing(name: str, version: int, uid: str = "", namespace: str = "red") -> dict[str, Any]:
    """Return an object."""
    metadata = {"name": name, "namespace": namespace, "uid": uid or name}
    return {"metadata": metadata | {"resourceVersion": str(version)}}


def told(changes: list[Change]) -> list[str]:
    """Return changes in short: what, which, which version."""
    return [
        f"{change.type.value} {change.name} {change.content['metadata']['resourceVersion']}"
        for change in changes
    ]


def known(*items: dict[str, Any]) -> Inventory:
    """Return an inventory of these."""
    inventory = Inventory()
    assert len(list(inventory.compare(items))) == len(items)
    return inventory


def test_list_is_compared() -> None:
    """A list tells what vanished, what changed and what is new, and nothing of the rest."""
    inventory = known(thing("a", 1), thing("b", 2), thing("c", 3))
    listed = [thing("b", 2), thing("c", 4), thing("d", 5)]
    assert told(list(inventory.compare(listed))) == [
        "delete red/a 1",
        "upsert red/c 4",
        "upsert red/d 5",
    ]
    assert told(list(inventory.compare(listed))) == []
    assert len(inventory) == 3


def test_same_name_in_another_namespace() -> None:
    """Objects of one name in two namespaces are two objects."""
    inventory = known(thing("a", 1), thing("a", 2, namespace="blue"))
    assert told(list(inventory.compare([thing("a", 1)]))) == ["delete blue/a 2"]


def test_successor() -> None:
    """An object created anew under its old name is told as deleted first, by list and by event."""
    inventory = known(thing("a", 1, "u1"))
    assert told(list(inventory.compare([thing("a", 5, "u2")]))) == [
        "delete red/a 1",
        "upsert red/a 5",
    ]
    event = WatchEvent(EventType.ADDED, thing("a", 7, "u3"))
    assert told(list(inventory.note(event))) == ["delete red/a 5", "upsert red/a 7"]


def test_events() -> None:
    """Events tell what they change; what was known already, and bookmarks, tell nothing."""
    inventory = known()
    seen = [
        told(list(inventory.note(WatchEvent(kind, thing("a", version)))))
        for kind, version in (
            (EventType.ADDED, 1),
            (EventType.ADDED, 1),
            (EventType.MODIFIED, 2),
            (EventType.BOOKMARK, 9),
            (EventType.DELETED, 3),
            (EventType.DELETED, 3),
        )
    ]
    assert seen == [["upsert red/a 1"], [], ["upsert red/a 2"], [], ["delete red/a 3"], []]
    assert len(inventory) == 0


def test_late_deletion() -> None:
    """A deletion that is meant for the predecessor leaves the successor alone."""
    inventory = known(thing("a", 5, "u2"))
    assert told(list(inventory.note(WatchEvent(EventType.DELETED, thing("a", 4, "u1"))))) == []
    assert len(inventory) == 1


def test_without_versions() -> None:
    """Objects without a resourceVersion are told every time: they may be others."""
    nameless = {"metadata": {"name": "x"}}
    inventory = known(nameless)
    assert [change.name for change in inventory.compare([nameless])] == ["x"]
