"""Who holds the node lock, and which of them may be ended."""

from __future__ import annotations

from vip_speaker.node_lock import Holder, lock_inodes, orphans

_LISTING = """\
sk               RefCnt Type Proto  Iface R Rmem   User   Inode
0000000000000000 3      3    0003   0     1 0      0      11
0000000000000000 3      2    88b6   1     0 0      0      12
0000000000000000 3      2    88b6   1     1 0      1000   13
0000000000000000 3      2    88b6   2     1 0      0      14
0000000000000000 3      3    88b5   1     1 0      0      15
"""


def test_locks_are_found_among_all_packet_sockets() -> None:
    """By protocol and interface, whether loopback is up or not, of any user."""
    assert lock_inodes(_LISTING) == {12, 13}


def test_no_packet_sockets() -> None:
    """An empty list has no lock."""
    assert lock_inodes("sk RefCnt Type Proto Iface R Rmem User Inode\n") == set()


def test_an_engine_without_its_supervisor_was_left() -> None:
    """Its parent has no lock."""
    left = Holder(pid=20, parent=1, role="engine")
    assert orphans([left]) == [left]


def test_an_engine_with_its_supervisor_is_another_speaker() -> None:
    """Nothing of a speaker that runs is ended, nor a supervisor before its engine is there."""
    supervisor = Holder(pid=10, parent=1, role="supervisor")
    assert orphans([supervisor, Holder(pid=20, parent=10, role="engine")]) == []
    assert orphans([supervisor]) == []
    assert orphans([supervisor, Holder(pid=30, parent=1, role="engine")]) == []


def test_other_programs_are_left_alone() -> None:
    """Only an engine of ours is known to be harmless to kill."""
    assert orphans([Holder(pid=20, parent=1, role="tcpdump")]) == []
    assert orphans([]) == []
