"""Words of keepalived's configuration, and where the same is said here. Pure."""

from __future__ import annotations

_SCRIPTS = (
    "write what the script asks as a gate in spec.gates, such as httpGet or tcpSocket; "
    "no scripts are run yet"
)
_NOTIFY = "nothing is run or sent when the state changes yet: follow the log or the metrics"
_NO_AUTHENTICATION = "there is no authentication yet, as in RFC 9568: remove it"
_MULTICAST = "adverts are sent by multicast, and unicast is not built yet: remove it"
_ANNOUNCEMENTS = (
    "a new holder announces the address at once, after 1 s, after 5 s and then every 30 s: "
    "remove it, there is nothing to set"
)
_NODE = "a host is known by its host name, or by what --node says: remove it"
_NO_BALANCING = "traffic is not balanced here: remove it"
_NOT_NEEDED = "nothing here needs it: remove it"
_ROUTES = "routes and rules are not changed here: remove it"
_GATE = "a gate in spec.gates"

# The word as keepalived spells it, and what to do about it, to follow "this is keepalived's word".
_WORDS = {
    "accept": "a holder always accepts traffic for the address: remove it",
    "advert_int": "write spec.vrrp.advertisementIntervalMilliseconds, 1000 for one second",
    "auth_pass": _NO_AUTHENTICATION,
    "auth_type": _NO_AUTHENTICATION,
    "authentication": _NO_AUTHENTICATION,
    "brd": _NOT_NEEDED,
    "dev": "write spec.vrrp.interfaces, or nothing: the subnet of the address decides",
    "enable_script_security": "no scripts are run yet: remove it",
    "fall": f"write failureThreshold in {_GATE}",
    "garp_interval": _ANNOUNCEMENTS,
    "garp_lower_prio_delay": _ANNOUNCEMENTS,
    "garp_lower_prio_repeat": _ANNOUNCEMENTS,
    "garp_master_delay": _ANNOUNCEMENTS,
    "garp_master_refresh": _ANNOUNCEMENTS,
    "garp_master_refresh_repeat": _ANNOUNCEMENTS,
    "garp_master_repeat": _ANNOUNCEMENTS,
    "global_defs": _NOT_NEEDED,
    "gna_interval": _ANNOUNCEMENTS,
    "higher_prio_send_advert": _NOT_NEEDED,
    "init_fail": "a gate counts as failing until its first verdict: remove it",
    "interface": (
        "write spec.vrrp.interfaces: [eth0], or nothing: the subnet of the address decides"
    ),
    "interval": f"write periodMilliseconds in {_GATE}",
    "lower_prio_no_advert": _NOT_NEEDED,
    "lvs_id": _NODE,
    "lvs_sync_daemon": _NO_BALANCING,
    "mcast_src_ip": "adverts come from the interface's own address, which decides: remove it",
    "no_accept": "a holder always accepts traffic for the address: remove it",
    "nopreempt": "write spec.vrrp.preemption: {mode: Never}",
    "notification_email": _NOTIFY,
    "notify": _NOTIFY,
    "notify_backup": _NOTIFY,
    "notify_deleted": _NOTIFY,
    "notify_fault": _NOTIFY,
    "notify_fifo": _NOTIFY,
    "notify_fifo_script": _NOTIFY,
    "notify_master": _NOTIFY,
    "notify_master_rx_lower_pri": _NOTIFY,
    "notify_priority_changes": _NOTIFY,
    "notify_stop": _NOTIFY,
    "preempt_delay": "write spec.vrrp.preemption: {mode: Delayed, delaySeconds: 10}",
    "priority": (
        "the order of spec.placement.preferredNodes decides, the same in every host's file; "
        "spec.placement.priorities gives a number to each"
    ),
    "real_server": _NO_BALANCING,
    "rise": f"write successThreshold in {_GATE}",
    "router_id": _NODE,
    "script": _SCRIPTS,
    "script_user": "no scripts are run yet: remove it",
    "skip_check_adv_addr": _NOT_NEEDED,
    "smtp_alert": _NOTIFY,
    "smtp_server": _NOTIFY,
    "state": (
        "no host is MASTER by its file: the order of spec.placement.preferredNodes decides, "
        "the same in every host's file"
    ),
    "strict_mode": _NOT_NEEDED,
    "timeout": f"write timeoutMilliseconds in {_GATE}",
    "track_bfd": "BFD is not built: remove it",
    "track_file": "write what the file stands for as a gate in spec.gates, or remove it",
    "track_interface": (
        "the interface of the adverts is watched already; "
        "for another write a gate interface: {name: eth1} in spec.gates"
    ),
    "track_process": (
        "write what the process answers as a gate in spec.gates, such as httpGet or tcpSocket"
    ),
    "track_script": _SCRIPTS,
    "unicast_peer": _MULTICAST,
    "unicast_src_ip": _MULTICAST,
    "use_vmac": "the virtual MAC is not built yet; the host's own is announced: remove it",
    "virtual_ipaddress": "write spec.addresses, without prefix lengths",
    "virtual_ipaddress_excluded": "write them in spec.addresses too, without prefix lengths",
    "virtual_routes": _ROUTES,
    "virtual_rules": _ROUTES,
    "virtual_server": _NO_BALANCING,
    "vmac_xmit_base": "the virtual MAC is not built yet; the host's own is announced: remove it",
    "vrrp_garp_master_refresh": _ANNOUNCEMENTS,
    "vrrp_garp_master_repeat": _ANNOUNCEMENTS,
    "vrrp_instance": "a document of kind VirtualIP is one",
    "vrrp_script": _SCRIPTS,
    "vrrp_skip_check_adv_addr": _NOT_NEEDED,
    "vrrp_startup_delay": "write spec.vrrp.startDelaySeconds",
    "vrrp_strict": _NOT_NEEDED,
    "vrrp_sync_group": (
        "write all addresses into one VirtualIP, or the same spec.group into several"
    ),
    "vrrp_version": "VRRPv3 is spoken: remove it",
    "weight": (
        "write failurePolicy: {cost: 20} in a gate in spec.gates: a host with a failing gate "
        "stands behind every healthy one, and of those that fail the smallest sum of costs is first"
    ),
}


def counterpart(field: str) -> str | None:
    """Return what to write for a word of keepalived's, None if it is none.

    Args:
        field: name of a field that does not exist here, in any case, with or without underscores.
    """
    found = _BY_BARE_NAME.get(bare(field))
    return f"this is keepalived's word: {found}" if found is not None else None


def bare(name: str) -> str:
    """Return a name without what people spell differently."""
    return name.replace("_", "").replace("-", "").lower()


_BY_BARE_NAME = {bare(word): found for word, found in _WORDS.items()}
