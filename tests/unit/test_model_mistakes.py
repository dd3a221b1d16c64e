"""What people write by mistake, and the words in which they hear of it."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import vip_document
from vip_model.schema.errors import ConfigError
from vip_model.schema.keepalived import counterpart
from vip_model.schema.parse import parse_document, parse_documents
from vip_model.schema.scalars import UnclearText


def problems_of(content: object) -> dict[str, str]:
    """Return field to message of everything that is wrong with a document of a file."""
    return {each.field: each.message for each in parse_documents([("vip.yaml", content)]).problems}


def interval(value: object) -> str:
    """Return what is said about a value where milliseconds are expected."""
    document = vip_document(vrrp={"advertisementIntervalMilliseconds": value})
    return problems_of(document)["spec.vrrp.advertisementIntervalMilliseconds"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1000", "not the text '1000': remove the quotes, write 1000"),
        ("1s", "not the text '1s': write 1000"),
        ("1.5s", "not the text '1.5s': write 1500"),
        ("250ms", "not the text '250ms': write 250"),
        ("250 ms", "not the text '250 ms': write 250"),
        ("2 min", "not the text '2 min': write 120000"),
        ("0.0001s", "not the text '0.0001s': the field counts milliseconds"),
        ("often", "not the text 'often': the field counts milliseconds"),
        (1e3, "not the number 1000.0: write 1000"),
        (0.5, "not the number 0.5: the field counts milliseconds"),
        (True, "not the truth value true"),
        (UnclearText("1_000"), "not 1_000, which not all programs read alike: write 1000"),
        (UnclearText("051"), "not 051, which some programs read as octal, 41: write 51"),
        (UnclearText("08"), "not 08, which not all programs read alike: write 8"),
        (UnclearText("0o51"), "not 0o51, which not all programs read alike: write 41"),
        (UnclearText("yes"), "not yes, which some programs read as true"),
        (UnclearText("2024-01-01"), "not 2024-01-01, which some programs read as a date"),
    ],
)
def test_numbers(value: object, message: str) -> None:
    """Quotes, units, octal and other forms of numbers are refused with the number to write."""
    assert interval(value).startswith(f"it must be a whole number, {message}")


def test_seconds_are_counted_in_seconds() -> None:
    """The unit is the one at the end of the field's name."""
    document = vip_document(vrrp={"preemption": {"mode": "Delayed", "delaySeconds": "5m"}})

    assert problems_of(document)["spec.vrrp.preemption.delaySeconds"].endswith("write 300")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "it must be text, not the number 7: write it in quotes"),
        (
            UnclearText("no"),
            "it must be text, not no, which some programs read as false: write it in quotes",
        ),
        (
            UnclearText("2024-01-01"),
            (
                "it must be text, not 2024-01-01, which some programs read as a date: "
                "write it in quotes"
            ),
        ),
        (False, "it must be text, not the truth value false: write it in quotes"),
    ],
)
def test_texts_without_quotes(value: object, message: str) -> None:
    """What YAML reads as something else than text is refused with the way out."""
    document = vip_document(placement={"nodeSelector": {"rack": value}})

    assert problems_of(document) == {"spec.placement.nodeSelector.rack": message}


def test_keys_without_quotes() -> None:
    """A label named on or 7 needs quotes."""
    document = vip_document(placement={"nodeSelector": {UnclearText("on"): "a"}})

    assert problems_of(document) == {
        "spec.placement.nodeSelector": "the key on must be text: write it in quotes"
    }


def test_a_long_text_is_not_repeated() -> None:
    """A message stays readable whatever was written."""
    document = vip_document(vrrp={"virtualRouterID": "x" * 10_000})

    assert len(problems_of(document)["spec.vrrp.virtualRouterID"]) < 200


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("name", "there is no such field here: write it inside of metadata, as metadata.name"),
        ("namespace", "there is no such field here: write it inside of metadata"),
        ("labels", "there is no such field here: write it inside of metadata"),
        ("addresses", "there is no such field here: did you mean spec.addresses?"),
        ("gates", "there is no such field here: did you mean spec.gates?"),
    ],
)
def test_fields_beside_the_one_they_belong_to(field: str, message: str) -> None:
    """A field that is indented too little is named with its place."""
    assert message in problems_of({**vip_document(), field: "web"})[field]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("addresses", "there is no such field here: did you mean spec.addresses?"),
        ("Name", "there is no such field: did you mean name?"),
        ("lables", "there is no such field: did you mean labels?"),
        ("zzzz", "there is no such field: metadata may have name, namespace, "),
    ],
)
def test_unknown_fields_in_metadata(field: str, message: str) -> None:
    """Metadata of a file is read as strictly as its spec."""
    document = vip_document()
    document["metadata"][field] = "x"

    assert message in problems_of(document)[f"metadata.{field}"]


def test_what_an_api_server_writes_into_metadata() -> None:
    """The output of kubectl can be read back, and an API server may send what nobody knows."""
    document = vip_document()
    document["metadata"] |= {
        "uid": "x",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2024-01-01T00:00:00Z",
        "managedFields": [],
        "ownerReferences": [],
        "finalizers": [],
        "annotations": {"a": "b"},
    }
    assert problems_of(document) == {}

    document["metadata"]["ofANewerServer"] = 1
    assert parse_document(document) is not None


def test_a_missing_space_after_a_colon() -> None:
    """`{name:web}` is one name without a value to YAML."""
    found = problems_of(vip_document(gates=[{"name:web": None, "tcpSocket": {"port": 80}}]))

    assert found["spec.gates[0].name:web"] == (
        "there is no such field: a space is missing after the `:`, write name: web"
    )


def test_a_space_that_looks_like_one() -> None:
    """A non-breaking space belongs to the name for YAML."""
    found = problems_of(vip_document(**{"\u00a0group": "x"}))

    assert "a space that YAML does not know" in found["spec.\u00a0group"]


KEEPALIVED = {
    "state": "MASTER",
    "interface": "eth0",
    "priority": 100,
    "advert_int": 1,
    "nopreempt": None,
    "preempt_delay": 5,
    "authentication": {"auth_type": "PASS"},
    "auth_pass": "1111",
    "unicast_peer": ["192.0.2.1"],
    "unicast_src_ip": "192.0.2.1",
    "mcast_src_ip": "192.0.2.1",
    "garp_master_delay": 5,
    "garp_master_refresh": 60,
    "virtual_ipaddress": ["192.0.2.100/24"],
    "virtual_routes": [],
    "vrrp_instance": {},
    "vrrp_script": {},
    "vrrp_sync_group": {},
    "track_script": [],
    "track_interface": [],
    "track_process": [],
    "track_file": [],
    "notify": "/bin/x",
    "notify_master": "/bin/x",
    "notify_backup": "/bin/x",
    "notify_fault": "/bin/x",
    "smtp_alert": True,
    "use_vmac": None,
    "router_id": "lb1",
    "weight": -20,
    "rise": 2,
    "fall": 2,
    "vrrp_version": 3,
    "virtual_server": {},
}


PLACES = ("", "spec", "spec.vrrp", "spec.gates[0]")
THERE = {("spec.gates[0]", "interface"), ("spec.vrrp", "authentication")}
WAYS_OUT = ("write ", "remove it", "follow ", "use ", "decides", "kind", "see ")


@pytest.mark.parametrize(
    ("place", "word"),
    [(place, word) for place in PLACES for word in KEEPALIVED if (place, word) not in THERE],
)
def test_words_of_keepalived(place: str, word: str) -> None:
    """Wherever one stands, the message says what is written here instead, or that nothing is."""
    gate: dict[str, Any] = {"name": "a", "tcpSocket": {"port": 80}}
    vrrp: dict[str, Any] = {}
    document = vip_document(vrrp=vrrp, gates=[gate])
    inside = (document, document["spec"], vrrp, gate)[PLACES.index(place)]
    inside[word] = KEEPALIVED[word]

    message = problems_of(document)[f"{place}.{word}".lstrip(".")]

    assert message.startswith("there is no such field: this is keepalived's word: ")
    assert any(each in message for each in WAYS_OUT)


def test_every_word_of_keepalived_has_a_sentence() -> None:
    """Words are found in any spelling, and others are not."""
    assert counterpart("notifyMaster") == counterpart("notify_master") is not None
    assert counterpart("addresses") is None


def test_a_word_that_differs_in_spelling_only() -> None:
    """What exists here under nearly the same name is named as such."""
    assert problems_of(vip_document(vrrp={"virtual_router_id": 51})) == {
        "spec.vrrp.virtual_router_id": "there is no such field: did you mean virtualRouterID?"
    }


@pytest.mark.parametrize("content", [{}, [], None, 5, "x", {1: 2}, {"metadata": 5}])
def test_errors_name_where_they_are(content: object) -> None:
    """Whatever a document is, its problem names the file."""
    (problem, *_) = parse_documents([("vip.yaml", content)]).problems

    assert str(problem).startswith("vip.yaml: ")
    with pytest.raises(ConfigError):
        parse_document(content, "vip.yaml")
