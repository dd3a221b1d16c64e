"""What lists and events change about what is known."""

from __future__ import annotations

from vip_kube.client import EventType, WatchEvent
from vip_kube.inventory import Change, Inventory
from vip_kube.wire import Identity, Item


def thing(name: str, version: int, uid: str = "", namespace: str = "red") -> Item[int]:
    """Return an object of which its version was picked."""
    return Item(Identity(name, namespace, uid or name, str(version)), version)


def told(changes: list[Change[int]]) -> list[str]:
    """Return changes in short: what, which, which version."""
    return [f"{change.type.value} {change.name} {change.value}" for change in changes]


def known(*items: Item[int]) -> Inventory[int]:
    """Return an inventory of these."""
    inventory: Inventory[int] = Inventory()
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
    """Of objects without a resourceVersion it is compared what was picked."""
    inventory = known(Item(Identity("x"), 1))
    assert told(list(inventory.compare([Item(Identity("x"), 1)]))) == []
    assert told(list(inventory.compare([Item(Identity("x"), 2)]))) == ["upsert x 2"]


def test_same_as_before() -> None:
    """A newer version in which nothing has changed that is picked is not told."""
    inventory = known(thing("a", 1))
    same = Item(Identity("a", "red", "a", "2"), 1)
    assert told(list(inventory.note(WatchEvent(EventType.MODIFIED, same)))) == []


def test_nobody_asks() -> None:
    """What nobody asks for is not kept, and told as deleted where it was kept before."""
    inventory = known(thing("a", 1), thing("b", 1))
    unasked: Item[int] = Item(Identity("a", "red", "a", "2"), None)
    assert told(list(inventory.note(WatchEvent(EventType.MODIFIED, unasked)))) == ["delete red/a 1"]
    assert told(list(inventory.note(WatchEvent(EventType.ADDED, unasked)))) == []
    assert told(list(inventory.compare([unasked]))) == ["delete red/b 1"]
    assert len(inventory) == 0


def test_old_news() -> None:
    """A watch that goes on from before a list of some objects brings nothing back."""
    inventory = known(thing("a", 1))
    assert told(list(inventory.add([thing("b", 9), thing("c", 9, "c2")]))) == [
        "upsert red/b 9",
        "upsert red/c 9",
    ]
    for event in (
        WatchEvent(EventType.MODIFIED, thing("b", 5)),
        WatchEvent(EventType.ADDED, thing("c", 4, "c1")),
        WatchEvent(EventType.DELETED, thing("c", 5, "c1")),
        WatchEvent(EventType.ADDED, thing("c", 6, "c2")),
    ):
        assert told(list(inventory.note(event))) == []
    assert told(list(inventory.note(WatchEvent(EventType.DELETED, thing("b", 10))))) == [
        "delete red/b 10"
    ]


def test_restored() -> None:
    """After a restoration the list counts, whatever its versions are, and all of it is told."""
    inventory = known(thing("a", 7), thing("b", 8), thing("c", 3))
    listed = [thing("a", 2), thing("c", 3)]
    assert told(list(inventory.compare(listed, restored=True))) == [
        "delete red/b 8",
        "upsert red/a 2",
        "upsert red/c 3",
    ]


def test_dropped() -> None:
    """What is dropped is told as deleted once."""
    inventory = known(thing("a", 1), thing("b", 2))
    assert told(list(inventory.drop(lambda value: value == 1))) == ["delete red/a 1"]
    assert told(list(inventory.drop(lambda value: value == 1))) == []
