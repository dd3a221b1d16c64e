"""What an act may cost on Kubernetes. Pure."""

from __future__ import annotations

from vip_lab.demo.act import ALLOWANCE_MS, Bound

# From an unready pod to the verdict on its node: one watch, of a cluster with little to do.
NEWS_MS = 200
# From the failing probe to the EndpointSlice that says so: kubelet and controllers.
ENDPOINT_MS = 1000


def crash(interval_ms: int, skew_ms: float) -> Bound:
    """Return how long until the others notice that adverts stay away."""
    return Bound(
        3 * interval_ms + skew_ms + ALLOWANCE_MS,
        f"3 adverts that stay away, one every {interval_ms} ms, {skew_ms:.0f} ms Skew_Time of the "
        f"next node, {ALLOWANCE_MS} ms for a busy machine",
    )


def unready(skew_ms: float) -> Bound:
    """Return how long connects may fail once a pod is unready; echo requests never."""
    return Bound(
        NEWS_MS + skew_ms + ALLOWANCE_MS,
        f"{NEWS_MS} ms for the news to reach the speaker, {skew_ms:.0f} ms Skew_Time of the next "
        f"node, {ALLOWANCE_MS} ms for a busy machine",
        lost_icmp_max=1,
    )


def unready_move_ms(period_ms: int, skew_ms: float) -> float:
    """Return how long from the moment a pod cannot serve until the address is elsewhere."""
    return period_ms + ENDPOINT_MS + unready(skew_ms).ms
