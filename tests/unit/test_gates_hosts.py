"""Whatever the model accepts as a host, a probe of it can be made."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.resources import vip
from vip_model.resources.gate import Gate, HTTPGetProbe, TCPSocketProbe
from vip_model.schema import validation
from vip_model.schema.fields import fields_of
from vip_speaker.gates import registry

HOST, PATH = (fields_of(HTTPGetProbe)[name].limits.pattern for name in ("host", "path"))


def accepted(kind: str, **fields: object) -> list[Gate]:
    """Return the gate with such a target, or nothing if the model refuses it."""
    found = vip(gates=[{"name": "g", kind: {"port": 80, **fields}}])
    return [] if validation.findings(found) else list(found.spec.gates)


def created(gates: list[Gate]) -> int:
    """Create gates without starting them; return how many."""
    return len([registry.create(gate, lambda: None) for gate in gates])


@settings(deadline=None)
@given(
    host=st.from_regex(HOST or "", fullmatch=True), kind=st.sampled_from(["httpGet", "tcpSocket"])
)
@example(host="fe80::1%eth0", kind="httpGet")
@example(host="_a.B-c.", kind="httpGet")
def test_every_host_of_the_pattern(host: str, kind: str) -> None:
    """What fits the pattern makes a probe or is refused as no address."""
    created(accepted(kind, host=host))


@settings(deadline=None)
@given(host=st.text(min_size=1, max_size=20))
@example(host="[::1]")
@example(host="[")
@example(host="x]")
@example(host="http://x")
@example(host="\u2100")
def test_any_text(host: str) -> None:
    """What makes no probe is refused."""
    created(accepted("httpGet", host=host))


@settings(deadline=None)
@given(path=st.from_regex(PATH or "", fullmatch=True))
@example(path="/[")
@example(path="//[")
@example(path="/\u2100")
def test_every_path(path: str) -> None:
    """A path that the model accepts makes a probe."""
    created(accepted("httpGet", path=path))


@pytest.mark.parametrize("host", ["localhost", "web.example.", "192.0.2.7", "::1", "fe80::1%eth0"])
def test_hosts_as_people_write_them(host: str) -> None:
    """Names and bare addresses make gates of both kinds."""
    gates = [*accepted("httpGet", host=host), *accepted("tcpSocket", host=host)]
    assert created(gates) == 2


def test_both_kinds_share_their_limits() -> None:
    """A host that one kind takes the other takes, too."""
    assert fields_of(TCPSocketProbe)["host"].limits == fields_of(HTTPGetProbe)["host"].limits
