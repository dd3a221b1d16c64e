"""The store: what it shows does not depend on the order in which it hears of things."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.resources import vip_document
from vip_operator.core.known import shelf as shelf_module
from vip_operator.core.known.snapshot import Snapshot
from vip_operator.core.known.store import KINDS, Store

NAMESPACE = "vips"

Content = dict[str, Any]


def node(name: str, version: int, uid: str = "", **labels: str) -> Content:
    """Return a Node as the API server sends it."""
    return {
        "metadata": {
            "name": name,
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "labels": labels,
        }
    }


def lease(node_name: str, version: int, namespace: str = NAMESPACE) -> Content:
    """Return the Lease of a speaker."""
    content = node(f"vip-speaker-{node_name}", version, uid=f"{namespace}-{node_name}")
    content["metadata"]["namespace"] = namespace
    return content


def complete(**contents: Iterable[Content]) -> Store:
    """Return a store that has had a list of every kind at version 100."""
    store = Store(KINDS)
    for kind in KINDS:
        store.replace(kind, contents.get(kind, ()), "100")
    return store


def nodes_of(store: Store) -> dict[str, dict[str, str]]:
    """Return the labels of the nodes that a snapshot shows."""
    return {each.name: dict(each.metadata.labels) for each in store.snapshot(NAMESPACE).nodes}


# --- single events -------------------------------------------------------------------------------


def test_an_object_comes_changes_and_goes() -> None:
    """Each event is seen in the next snapshot, and says that it changed something."""
    store = complete()
    assert store.upsert("Node", node("n1", 101))
    assert store.upsert("Node", node("n1", 102, rack="a"))
    assert nodes_of(store) == {"n1": {"rack": "a"}}
    assert store.count("Node") == 1
    assert store.delete("Node", node("n1", 103))
    assert nodes_of(store) == {}
    assert store.count("Node") == 0


def test_old_news_changes_nothing() -> None:
    """An older version, and the same one again, are ignored; versions compare as numbers."""
    store = complete()
    store.upsert("Node", node("n1", 1000, rack="a"))
    assert not store.upsert("Node", node("n1", 1000, rack="b"))
    assert not store.upsert("Node", node("n1", 999, rack="b"))
    assert nodes_of(store) == {"n1": {"rack": "a"}}


def test_an_update_that_nothing_depends_on_changes_nothing() -> None:
    """A newer version that looks the same is no change, and the parts of a snapshot stay."""
    store = complete(Node=[node("n1", 90)])
    before = store.snapshot(NAMESPACE)
    assert not store.upsert("Node", node("n1", 101) | {"status": {"conditions": []}})
    assert store.snapshot(NAMESPACE).nodes is before.nodes
    assert not store.upsert("Node", node("n1", 100, rack="late"))


def test_a_deleted_object_is_not_resurrected() -> None:
    """An event of an object that is known to be deleted is ignored, however new it looks."""
    store = complete(Node=[node("n1", 90)])
    store.delete("Node", node("n1", 95))
    assert not store.upsert("Node", node("n1", 120))
    assert not store.delete("Node", node("n1", 121))
    assert nodes_of(store) == {}


def test_a_deletion_that_comes_before_the_object() -> None:
    """An object that is deleted before it was heard of does not appear at all."""
    store = complete()
    assert not store.delete("Node", node("n1", 110))
    assert not store.upsert("Node", node("n1", 105))
    assert nodes_of(store) == {}


def test_the_memory_of_deletions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the latest deletions are remembered."""
    monkeypatch.setattr(shelf_module, "DELETED_REMEMBERED", 2)
    store = complete()
    for name in ("n1", "n2", "n3"):
        store.delete("Node", node(name, 110))
    assert [store.upsert("Node", node(name, 111)) for name in ("n1", "n2", "n3")] == [
        True,
        False,
        False,
    ]


def test_an_event_that_a_list_would_have_shown_is_late() -> None:
    """What is older than the list and not in it was deleted before the list."""
    store = complete()
    assert not store.upsert("Node", node("n1", 100))
    assert store.upsert("Node", node("n1", 101))


def test_a_name_that_is_used_anew_before_its_deletion_is_heard() -> None:
    """The new object replaces the old one; the late deletion and late news of it do not matter."""
    store = complete(Node=[node("n1", 90, uid="old")])
    assert store.upsert("Node", node("n1", 120, uid="new", rack="b"))
    assert not store.delete("Node", node("n1", 119, uid="old"))
    assert not store.upsert("Node", node("n1", 118, uid="old"))
    assert nodes_of(store) == {"n1": {"rack": "b"}}
    assert store.count("Node") == 1


def test_late_news_of_a_former_object_of_the_name() -> None:
    """An object that was there before the one that is known under its name does not appear."""
    store = complete()
    store.upsert("Node", node("n1", 120, uid="new", rack="b"))
    assert not store.upsert("Node", node("n1", 110, uid="old"))
    assert nodes_of(store) == {"n1": {"rack": "b"}}


# --- lists ---------------------------------------------------------------------------------------


def test_nothing_is_shown_before_everything_is_known() -> None:
    """Until each kind was listed once, there is no snapshot, and what is missing is named."""
    store = Store(KINDS)
    for kind in KINDS:
        if kind != "Lease":
            store.replace(kind, [], "1")
    missing = [store.missing]
    with pytest.raises(AssertionError, match="Lease"):
        store.snapshot(NAMESPACE)
    store.replace("Lease", [], "1")
    missing.append(store.missing)
    assert missing == [("Lease",), ()]
    assert store.snapshot(NAMESPACE) == Snapshot()


def test_the_first_list_has_missed_nothing() -> None:
    """At the start nothing can have been missed, whatever the list holds."""
    assert Store(KINDS).replace("Node", [node("n1", 5)], "9") == ()


def test_a_list_tells_what_was_missed() -> None:
    """Objects that a list adds, changes and removes are named, the others are not."""
    store = complete(Node=[node("same", 90), node("changed", 91), node("gone", 92)])
    listed = [node("same", 90), node("changed", 110, rack="a"), node("new", 111)]
    assert store.replace("Node", listed, "120") == ("changed", "gone", "new")
    assert nodes_of(store) == {"changed": {"rack": "a"}, "new": {}, "same": {}}
    assert store.replace("Node", listed, "120") == ()


def test_names_of_namespaced_objects_have_their_namespace() -> None:
    """What was missed is named NAMESPACE/NAME."""
    assert complete().replace("Lease", [lease("n1", 110)], "120") == ("vips/vip-speaker-n1",)


def test_what_is_newer_than_a_list_stays() -> None:
    """A list that was under way for long takes nothing back that an event brought meanwhile."""
    store = complete(Node=[node("n1", 90)])
    store.upsert("Node", node("n2", 130))
    store.upsert("Node", node("n1", 131, rack="new"))
    store.delete("Node", node("n3", 132))
    listed = [node("n1", 90), node("n3", 105)]
    assert store.replace("Node", listed, "120") == ()
    assert nodes_of(store) == {"n1": {"rack": "new"}, "n2": {}}


def test_a_server_that_was_restored_from_a_backup_is_believed() -> None:
    """A list from before the last one replaces everything, deleted objects come back too."""
    store = complete(Node=[node("n1", 90), node("n2", 91)])
    store.delete("Node", node("n2", 105))
    store.upsert("Node", node("n1", 140, rack="new"))
    store.replace("Node", [node("n1", 50), node("n2", 51)], "60")
    assert nodes_of(store) == {"n1": {}, "n2": {}}
    assert store.upsert("Node", node("n1", 61, rack="b"))


def test_a_restore_that_others_noticed_is_believed_too() -> None:
    """Of a kind that was listed once long ago only the list counts, and what is told after it."""
    store = complete(Lease=[lease("n1", 90)])
    store.upsert("Lease", lease("n1", 5000))
    assert store.newest("Lease") == 5000
    store.replace("Lease", [lease("n1", 2990)], "3000", restored=True)
    assert store.newest("Lease") == 3000
    assert store.upsert("Lease", lease("n1", 3005))
    (shown,) = store.snapshot(NAMESPACE).leases
    assert shown.resource_version == "3005"


# --- snapshots -----------------------------------------------------------------------------------


def test_only_leases_of_our_namespace_are_shown() -> None:
    """A Lease of the right name in another namespace is nobody's heartbeat."""
    store = complete(Lease=[lease("n1", 5), lease("n2", 6, namespace="other")])
    assert [each.node for each in store.snapshot(NAMESPACE).leases] == ["n1"]


def test_parts_that_did_not_change_are_the_same_objects() -> None:
    """A change of one kind leaves the tuples of all others, and all other objects, alone."""
    store = complete(Node=[node("n1", 5), node("n2", 6)], Lease=[lease("n1", 5)])
    before = store.snapshot(NAMESPACE)
    store.upsert("Lease", lease("n1", 105))
    middle = store.snapshot(NAMESPACE)
    assert middle.leases != before.leases
    assert middle.nodes is before.nodes
    store.upsert("Node", node("n2", 106, rack="a"))
    after = store.snapshot(NAMESPACE)
    assert after.nodes is not before.nodes
    assert after.nodes[0] is before.nodes[0]
    assert after.virtual_ips is before.virtual_ips


def virtual_ip(version: int, **spec: Any) -> Content:
    """Return a VirtualIP as the API server sends it."""
    content = vip_document(**spec)
    content["metadata"] |= {"uid": "u", "resourceVersion": str(version)}
    return content


def test_a_virtual_ip_that_cannot_be_parsed_is_among_the_unreadable() -> None:
    """It changes its place in the snapshot when it is broken and when it is mended."""
    store = complete(VirtualIP=[virtual_ip(90)])
    assert store.upsert("VirtualIP", virtual_ip(101, adresses=[]))
    broken = store.snapshot(NAMESPACE)
    assert (len(broken.virtual_ips), len(broken.unreadable)) == (0, 1)
    assert store.upsert("VirtualIP", virtual_ip(102))
    mended = store.snapshot(NAMESPACE)
    assert (len(mended.virtual_ips), len(mended.unreadable)) == (1, 0)


def test_what_cannot_be_read_is_left_out_and_told() -> None:
    """An object of the system that cannot be read is skipped, with a sentence until it is gone."""
    bad = node("n1", 90) | {"status": {"addresses": "none"}}
    store = complete(Node=[bad, node("n2", 91)])
    assert nodes_of(store) == {"n2": {}}
    (warning,) = store.warnings
    assert warning.startswith("Node n1 cannot be read: ")
    assert store.upsert("Node", node("n1", 101))
    assert store.warnings == ()
    assert store.upsert("Node", bad | {"metadata": node("n1", 102)["metadata"]})
    assert store.delete("Node", bad)
    assert store.warnings == ()


# --- any order -----------------------------------------------------------------------------------


@dataclass
class History:
    """What happened at an API server.

    Attributes:
        version: of the latest write.
        objects: what is there, by name.
        events: every event that was sent: whether it is a deletion, and the object.
    """

    version: int = 0
    objects: dict[str, Content] = field(default_factory=dict)
    events: list[tuple[bool, Content]] = field(default_factory=list)

    def act(self, name: str, what: str) -> None:
        """Write, or delete and perhaps create anew under the same name."""
        self.version += 1
        known = self.objects.get(name)
        if known is not None and what != "write":
            gone = copy.deepcopy(self.objects.pop(name))
            gone["metadata"]["resourceVersion"] = str(self.version)
            self.events.append((True, gone))
            return
        uid = known["metadata"]["uid"] if known is not None else f"{name}-{self.version}"
        self.objects[name] = node(name, self.version, uid=uid, at=str(self.version))
        self.events.append((False, self.objects[name]))

    @property
    def truth(self) -> dict[str, dict[str, str]]:
        """What a snapshot should show."""
        return {name: each["metadata"]["labels"] for name, each in sorted(self.objects.items())}


STEPS = st.lists(
    st.tuples(st.sampled_from(["n1", "n2", "n3"]), st.sampled_from(["write", "delete"])),
    max_size=25,
)


@given(steps=STEPS, data=st.data())
def test_any_order_converges_to_the_list(steps: list[tuple[str, str]], data: st.DataObject) -> None:
    """Events lost, doubled and in any order, before and after a list: the list's state is shown."""
    history = History()
    for step in steps:
        history.act(*step)
    store = complete_at_zero()
    some = st.lists(st.sampled_from(history.events), max_size=40) if history.events else st.just([])
    deliver(store, data.draw(some, label="before the list"))
    store.replace("Node", list(history.objects.values()), str(history.version))
    assert nodes_of(store) == history.truth
    deliver(store, data.draw(some, label="after the list"))
    assert nodes_of(store) == history.truth


@given(steps=STEPS, later=STEPS, data=st.data())
def test_a_slow_list_converges_too(
    steps: list[tuple[str, str]], later: list[tuple[str, str]], data: st.DataObject
) -> None:
    """A list that arrives amid newer events leaves the newest state, whatever their order."""
    history = History()
    for step in steps:
        history.act(*step)
    listed, version = list(history.objects.values()), history.version
    history.events.clear()
    for step in later:
        history.act(*step)
    events = data.draw(st.permutations(history.events), label="events after the list was made")
    cut = data.draw(st.integers(0, len(events)), label="events before the list arrives")
    store = complete_at_zero()
    deliver(store, events[:cut])
    store.replace("Node", listed, str(version))
    deliver(store, events[cut:])
    assert nodes_of(store) == history.truth


def complete_at_zero() -> Store:
    """Return a store whose lists were empty before anything happened."""
    store = Store(KINDS)
    for kind in KINDS:
        store.replace(kind, [], "0")
    return store


def deliver(store: Store, events: list[tuple[bool, Content]]) -> None:
    """Let a store hear of events."""
    for deleted, content in events:
        (store.delete if deleted else store.upsert)("Node", content)
