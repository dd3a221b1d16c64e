"""The control plane on a host of a LAN: reached by the other hosts, cut off like any host."""

from __future__ import annotations

import pytest

from support.api_server import control_plane
from support.rings import why_no_api_ring
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.lan import Lan

pytestmark = pytest.mark.skipif(why_no_api_ring() is not None, reason=str(why_no_api_ring()))


def test_hosts_reach_it_until_it_is_cut_off(fresh_lan: Lan) -> None:
    """Hosts use the API server on another host, directly and by the proxy, while it has a link."""
    with control_plane(fresh_lan["client"]) as plane, FaultProxy(plane) as proxy:
        assert fresh_lan["client"].ipv4 in plane.server
        direct = plane.kubectl(host=fresh_lan["n1"])
        assert direct("get", "--raw=/readyz") == "ok"
        assert proxy.kubectl(host=fresh_lan["n2"])("get", "--raw=/readyz") == "ok"
        assert [each.path for each in proxy.requests()] == ["/readyz"]
        fresh_lan.cut("client")
        assert not direct.run("get", "--raw=/readyz", "--request-timeout=1s").ok
        assert plane.ready()
        processes = plane.place.processes
        directory = plane.place.directory
    assert processes
    assert not any(process.running for process in processes)
    assert not directory.exists()
