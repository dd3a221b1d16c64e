"""The prober: what it tells does not depend on when it gets to look."""

from __future__ import annotations

import socket
import time

from vip_lab.prober import TcpProbe


def test_a_late_look_is_no_late_answer() -> None:
    """A handshake that was done long before the prober could look counts from when it was done."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        probe = TcpProbe("127.0.0.1", server.getsockname()[1])
        probe.send()
        time.sleep(0.3)  # what is told to be free of: the prober did not run
        probe.receive()
    result = probe.record.result(time.time_ns(), late_ns_max=0, skipped=0)
    assert (result.sent, result.lost) == (1, 0)
    assert result.longest_gap_ms < 100
