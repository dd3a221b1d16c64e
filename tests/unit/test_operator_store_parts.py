"""The store as reflectors tell it: parts that are asked for, hidden, dropped, or begin anew."""

from __future__ import annotations

from typing import Any

from vip_operator.core.known.decode import Entry, read
from vip_operator.core.known.store import Store


def service(name: str, version: int, **spec: Any) -> dict[str, Any]:
    """Return a Service as the API server sends it."""
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": spec}


def pod(namespace: str, version: int = 1) -> Entry:
    """Return what is read of a Pod on a node."""
    metadata = {
        "name": "web",
        "namespace": namespace,
        "uid": f"{namespace}-web",
        "resourceVersion": str(version),
    }
    return read("Pod", {"metadata": metadata, "spec": {"nodeName": "n1"}})


def test_parts_that_are_asked_for_are_missing_until_they_are_complete() -> None:
    """A part is named while it is missing; without it nothing is complete."""
    store = Store(["Service", "Pod"])
    assert list(store.missing) == ["Service"]
    store.complete("Service")
    store.ask("Pod", frozenset({"red", "blue"}))
    assert list(store.missing) == ["Pod blue", "Pod red"]
    store.complete("Pod", "red")
    assert list(store.missing) == ["Pod blue"]
    assert not store.knows("Pod")
    store.ask("Pod", frozenset({"red"}))
    assert not list(store.missing)
    store.ask("Pod", frozenset({"red", "blue"}))
    assert list(store.missing) == ["Pod blue"], "what was known of it then is not known now"


def test_a_hidden_part_is_not_waited_for() -> None:
    """Why it cannot be had is a warning; once it can it is missing until it is complete."""
    store = Store(["Pod"])
    store.ask("Pod", frozenset({"red"}))
    assert store.hide("Pod", "red", "the operator may not read it")
    assert not store.hide("Pod", "red", "the operator may not read it")
    assert not list(store.missing)
    assert list(store.warnings) == ["The operator may not read it"]
    assert store.hide("Pod", "red", "")
    assert list(store.missing) == ["Pod red"]
    assert not list(store.warnings)


def test_one_part_is_forgotten() -> None:
    """What is cleared of one namespace leaves the others alone, and may come back as it was."""
    store = Store(["Pod"])
    for namespace in ("red", "blue"):
        assert store.take("Pod", pod(namespace))
    store.clear("Pod", "red")
    assert store.count("Pod") == 1
    assert store.take("Pod", pod("red"))
    assert store.count("Pod") == 2


def test_versions_that_begin_anew() -> None:
    """After all was cleared an older version counts, and one that was deleted may be back."""
    store = Store(["Node"])
    metadata = {"name": "n1", "uid": "u", "resourceVersion": "500"}
    assert store.take("Node", read("Node", {"metadata": metadata}))
    assert store.drop("Node", read("Node", {"metadata": metadata}))
    store.clear("Node")
    assert store.take("Node", read("Node", {"metadata": metadata | {"resourceVersion": "7"}}))
    assert store.newest("Node") == 7


def test_what_is_doubted_is_missing_until_it_was_told_again() -> None:
    """Its objects stay meanwhile, and by a list of all of them it is known again."""
    store = Store(["VirtualIP", "Pod"])
    store.replace("VirtualIP", (), "1")
    store.ask("Pod", frozenset({"red"}))
    store.take("Pod", pod("red"))
    store.complete("Pod", "red")
    store.doubt("VirtualIP")
    store.doubt("Pod", "red")
    assert list(store.missing) == ["VirtualIP", "Pod red"]
    assert store.count("Pod") == 1
    store.replace("VirtualIP", (), "2")
    store.complete("Pod", "red")
    assert not list(store.missing)


def test_what_was_written_of_an_object_that_is_not_asked_for() -> None:
    """The answer to a write brings no Service back that was dropped meanwhile."""
    store = Store(["Service"])
    store.take("Service", read("Service", service("web", 5)))
    assert store.upsert("Service", service("web", 6, type="LoadBalancer"))
    store.drop("Service", read("Service", service("web", 6)))
    assert not store.upsert("Service", service("web", 7))
    assert store.count("Service") == 0
    assert store.take("Service", read("Service", service("web", 6))), "it is asked for again"
