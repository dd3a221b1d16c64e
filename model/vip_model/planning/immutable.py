"""What an edit cannot change while an election runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from vip_model.planning.drafts import Draft
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.schema.limits import Finding


def immutable_findings(virtual_ip: VirtualIP, draft: Draft) -> Iterator[Finding]:
    """Yield wire parameters that differ from what runs: all nodes must change them at once."""
    if draft.allocated is None:
        return
    vrrp, instance = virtual_ip.spec.vrrp, draft.allocated.spec.instances[0]
    if draft.running is None:
        way_out = "or wait a moment: the election that had it is still being released"
    else:
        way_out = "or delete the VirtualIP, wait until it is gone, and create it anew"
    changes = (
        (
            "spec.vrrp.virtualRouterID",
            vrrp.virtual_router_id not in (None, instance.virtual_router_id),
            str(instance.virtual_router_id),
        ),
        (
            "spec.vrrp.interfaces",
            vrrp.interfaces != instance.interfaces,
            f"[{', '.join(instance.interfaces)}]",
        ),
    )
    for path, changed, kept in changes:
        if changed:
            yield (
                path,
                (
                    f"all nodes would have to change it at the same moment: write {kept} again, "
                    f"{way_out}"
                ),
            )
