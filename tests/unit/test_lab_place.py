"""Where the parts of a control plane run."""

from __future__ import annotations

import contextlib
import random

import pytest

from vip_lab.kubernetes.place import Place


def test_a_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was given is given to nobody else, while it is not in use yet."""
    monkeypatch.setattr(random, "sample", lambda ports, count: list(ports)[:count])
    with contextlib.ExitStack() as stack:
        places = [Place(), Place()]
        for place in places:
            stack.callback(place.close)
        given = [place.free_port() for place in places * 3]
    assert len(set(given)) == len(given)
