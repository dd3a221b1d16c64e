"""What happens in the demo on Kubernetes, act by act."""

from __future__ import annotations

import time

from vip_lab.demo.act import Act, Ends, NotAsItShouldError, no_gap
from vip_lab.demo.kubernetes import bounds, removal
from vip_lab.demo.kubernetes.stage import OPERATOR, SPEAKER, SYSTEM, ClusterStage
from vip_lab.demo.page import await_page, ms_since
from vip_lab.wait import throughout, until

_SECONDS_WITHOUT_OPERATOR = 1.5  # longer than an advertisement interval
_FAST = 0.005  # pause between two looks, in seconds


def _pod_turns_unready(stage: ClusterStage, holder: str) -> str:
    allowed_ms = bounds.unready_move_ms(stage.example.period_ms, stage.skew_ms(holder))
    pod, namespace = stage.web_pod(holder), f"--namespace={stage.example.namespace}"
    stage.kubectl("exec", pod, namespace, "--", "rm", "/tmp/ready")
    began = time.monotonic()
    until(
        f"an EndpointSlice without {holder}",
        lambda: not stage.has_ready_endpoint(holder),
        10.0,
        every=_FAST,
    )
    known = time.monotonic()
    after = stage.await_holder(stage.others(holder))
    moved_ms, after_news_ms = ms_since(began), ms_since(known)
    await_page(stage.client, stage.address, after)
    if moved_ms > allowed_ms:
        raise NotAsItShouldError(
            f"the address moved after {moved_ms:.0f} ms, not {allowed_ms:.0f} at most"
        )
    return (
        f"The pod was out of the EndpointSlice {1000 * (known - began):.0f} ms after its file went "
        f"and the address on {after} {after_news_ms:.0f} ms later, which is "
        f"{moved_ms:.0f} ms in all (at most {allowed_ms:.0f}). The page comes from {after}."
    )


def _pod_turns_ready(stage: ClusterStage, holder: str) -> str:
    pod, namespace = stage.web_pod(holder), f"--namespace={stage.example.namespace}"
    stage.kubectl("exec", pod, namespace, "--", "touch", "/tmp/ready")
    return ""


def _speaker_pod_deleted(stage: ClusterStage, holder: str) -> str:
    began = time.monotonic()
    pod = stage.pod_on(holder, SPEAKER, SYSTEM)
    stage.kubectl.delete("pod", pod, SYSTEM)
    after = stage.await_holder(stage.others(holder))
    gone_ms = ms_since(began)
    stage.settled()
    return (
        f"The pod was gone after {gone_ms:.0f} ms; the DaemonSet's next one waits as a Backup. "
        f"The page comes from {await_page(stage.client, stage.address, after)}."
    )


def _operator_deleted(stage: ClusterStage, holder: str) -> str:
    speakers = {node: stage.pod_on(node, SPEAKER, SYSTEM) for node in stage.cluster.names}
    stage.kubectl.delete("deployment", OPERATOR, SYSTEM)
    until("the operator's pods to be gone", lambda: not stage.pods(OPERATOR, SYSTEM), 20.0)
    throughout(
        f"{stage.address} on {holder} and nowhere else",
        lambda: stage.holders() == [holder],
        _SECONDS_WITHOUT_OPERATOR,
        show=stage.holders,
    )
    began = time.monotonic()
    stage.upgrade()
    stage.settled()
    if speakers != {node: stage.pod_on(node, SPEAKER, SYSTEM) for node in stage.cluster.names}:
        raise NotAsItShouldError("a speaker's pod was replaced; nobody should have touched it")
    return (
        f"Nothing moved, and no speaker was touched; {ms_since(began) / 1000:.1f} s after the "
        "command the operator was back and all was well."
    )


def _power_lost(stage: ClusterStage, holder: str) -> str:
    stage.cluster.power_off(holder)
    began = time.monotonic()
    after = stage.await_holder(stage.others(holder))
    moved_ms = ms_since(began)
    await_page(stage.client, stage.address, after)
    began = time.monotonic()
    stage.cluster.power_on(holder)
    stage.cluster.await_ready(holder)
    stage.settled()
    return (
        f"The address was on {after} after {moved_ms:.0f} ms. {holder} was well again "
        f"{ms_since(began) / 1000:.1f} s after its power came back, and took nothing back "
        "(preemption: Never)."
    )


def _link_cut_without_api(stage: ClusterStage, holder: str) -> str:
    stage.cluster.stop_api()
    stage.cluster.cut(holder)
    began = time.monotonic()
    after = stage.await_holder(stage.others(holder))
    moved_ms = ms_since(began)
    page = await_page(stage.client, stage.address, after)
    return f"The address was on {after} after {moved_ms:.0f} ms. The page comes from {page}."


def _both_return(stage: ClusterStage, holder: str) -> str:
    began = time.monotonic()
    stage.cluster.start_api()
    for name in stage.cluster.names:
        stage.cluster.restore(name)
    stage.settled()
    return (
        f"{ms_since(began) / 1000:.1f} s later the status names {holder} as the holder and two "
        "nodes on standby."
    )


MOVING: tuple[Act[ClusterStage], ...] = (
    Act(
        title="web pod of {0} turns unready",
        story="The web pod of {0}, which holds the address, fails its readiness probe (every "
        "second, one failure). A node that cannot serve must not keep the address. On a cluster "
        "like this one MetalLB's clients were without service for 54 ms, kube-vip's for 2364 ms.",
        ends=Ends.ELSEWHERE,
        begin=ClusterStage.settled,
        play=_pod_turns_unready,
        bound=ClusterStage.unready_bound,
        repair=_pod_turns_ready,
    ),
    Act(
        title="speaker pod of {0} deleted",
        story="`kubectl delete pod` on the speaker of {0}, as a rolling upgrade does. It resigns, "
        "and keeps the address until the next node has bound it: nothing is lost.",
        ends=Ends.ELSEWHERE,
        begin=ClusterStage.settled,
        play=_speaker_pod_deleted,
        bound=no_gap,
    ),
    Act(
        title="operator deleted",
        story="`kubectl delete deployment vip-operator`, and after a while `helm upgrade`, which "
        "brings it back. The operator plans; it holds nothing, so nothing happens to the address.",
        ends=Ends.WHERE_IT_WAS,
        begin=ClusterStage.settled,
        play=_operator_deleted,
        bound=no_gap,
    ),
    Act(
        title="power of {0} lost",
        story="{0} dies at once, and boots again after a while. Nobody can say goodbye, so the "
        "others wait until three adverts have stayed away. On a cluster like this one kube-vip "
        "took 8816 ms and MetalLB 6601 ms.",
        ends=Ends.ELSEWHERE,
        begin=ClusterStage.settled,
        play=_power_lost,
        bound=ClusterStage.crash_bound,
    ),
    Act(
        title="no API server, link of {0} cut",
        story="The API server is stopped, and then the cable of {0} is pulled. The address moves "
        "as fast as ever, with no Kubernetes at all.",
        ends=Ends.ELSEWHERE,
        begin=ClusterStage.settled,
        play=_link_cut_without_api,
        bound=ClusterStage.crash_bound,
    ),
    Act(
        title="API server and link return",
        story="Both come back. The address stays with {0}, and the status catches up with what "
        "happened meanwhile.",
        ends=Ends.WHERE_IT_WAS,
        begin=ClusterStage.await_holder,
        play=_both_return,
        bound=no_gap,
    ),
)

REMOVING: tuple[Act[ClusterStage], ...] = (
    Act(
        title="VirtualIP deleted",
        story="`kubectl delete vip`. The address is gone from every node, and what the operator "
        "made for it too.",
        ends=Ends.NOWHERE,
        begin=ClusterStage.settled,
        play=removal.delete_virtual_ip,
        bound=None,
    ),
    Act(
        title="chart uninstalled",
        story="`helm uninstall`. A hook first takes the speakers down in order; with "
        "crds.keep=false nothing of ours is left in the cluster.",
        ends=Ends.NOWHERE,
        begin=removal.holder_or_nobody,
        play=removal.uninstall,
        bound=None,
    ),
)
