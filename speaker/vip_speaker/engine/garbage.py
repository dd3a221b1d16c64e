"""Keeps collections of garbage short: they stop every thread, and so the one that sends adverts.

A full collection looks at every object that lives for long: 10 ms beside 130 dual-stack routers.
What a router is made of lives as long as it does and is in no cycle, so that it needs no collector
to go: it is taken out of the collector's sight as soon as it is there.
"""

from __future__ import annotations

import gc


def overlook_what_lives() -> None:
    """Let later collections look only at what is made from now on."""
    gc.collect(1)  # what is in a cycle and gone already would stay for ever
    gc.freeze()
