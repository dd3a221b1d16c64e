"""Which changes of links and addresses are news, and which are our own doing. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from vip_speaker.linux.monitor import AddressChanged, Event, LinkChanged
from vip_speaker.linux.ownership import is_ours
from vip_speaker.linux.rtnetlink import InterfaceAddress


def removed_of_ours(events: Iterable[Event]) -> list[InterfaceAddress]:
    """Return the addresses with our tag that are gone: removed by us, by somebody, by time."""
    return [
        event.before
        for event in events
        if isinstance(event, AddressChanged)
        and event.after is None
        and event.before is not None
        and is_ours(event.before)
    ]


def vanished_links(events: Iterable[Event]) -> frozenset[int]:
    """Return the index of every interface that went, whether it is back or not."""
    return frozenset(
        event.before.index
        for event in events
        if isinstance(event, LinkChanged) and event.after is None and event.before is not None
    )


def matter(events: Iterable[Event]) -> bool:
    """Whether anything else than our own virtual addresses changed."""
    return any(not _is_our_doing(event) for event in events)


def _is_our_doing(event: Event) -> bool:
    if not isinstance(event, AddressChanged):
        return False
    known = event.after or event.before
    return known is not None and is_ours(known)
