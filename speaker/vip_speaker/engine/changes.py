"""Which changes of links and addresses are news, and which are our own doing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vip_speaker.linux.monitor import AddressChanged, Event, LinkChanged
from vip_speaker.linux.ownership import is_ours
from vip_speaker.linux.rtnetlink import InterfaceAddress, Link
from vip_speaker.linux.view import is_reported


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


def news(events: Iterable[Event]) -> list[Event]:
    """Return what is not about our own virtual addresses."""
    return [event for event in events if not _is_our_doing(event)]


def change_reports(events: Iterable[Event], link: Callable[[int], Link | None]) -> bool:
    """Whether the interfaces that are reported, or listened to, may be others than before.

    Containers that come and go change nothing there.

    Args:
        events: what happened.
        link: returns the interface with an index, as it is now.
    """
    return any(_changes_reports(event, link) for event in events)


def _changes_reports(event: Event, link: Callable[[int], Link | None]) -> bool:
    if isinstance(event, LinkChanged):
        links = [one for one in (event.before, event.after) if one is not None]
        return any(is_reported(one) or one.kind != "veth" for one in links)
    known = event.after or event.before
    found = link(known.index) if known is not None else None
    return found is not None and is_reported(found)


def _is_our_doing(event: Event) -> bool:
    if not isinstance(event, AddressChanged):
        return False
    known = event.after or event.before
    return known is not None and is_ours(known)
