"""What the operator does while the API server, its watches or the CRDs are away."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api_server import CRDS
from support.operator_stand import Stand, operator_stand
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.wait import throughout, until

SECONDS_TO_CATCH_UP = 20.0


@pytest.fixture
def stand(api: ControlPlane, namespace: str, proxy: FaultProxy) -> Iterator[Stand]:
    """An operator behind the proxy, and speakers that say what the test says."""
    with operator_stand(api, namespace, proxy.kubeconfig("operator")) as stand:
        yield stand


@pytest.fixture
def crds(kubectl: Kubectl) -> Iterator[None]:
    """A test that deletes CRDs leaves them as it found them."""
    yield
    install(kubectl)


def install(kubectl: Kubectl) -> None:
    """Install the CRDs, once those that are being deleted are gone."""
    for crd in CRDS:
        until(
            f"{crd.name} to be applied", functools.partial(_applied, kubectl, crd), 30.0, every=0.2
        )
    kubectl("wait", "--for=condition=Established", "--timeout=30s", *_names())


def _applied(kubectl: Kubectl, crd: Path) -> bool:
    name = f"crd/{crd.stem}.vip-operator.io"
    terminating = kubectl.run("get", name, "-o", "jsonpath={.metadata.deletionTimestamp}")
    if terminating.ok and terminating.stdout.strip():
        return False
    return kubectl.run("apply", "--server-side", "-f", str(crd)).ok


def _names() -> list[str]:
    return [f"crd/{crd.stem}.vip-operator.io" for crd in CRDS]


def serving(stand: Stand) -> None:
    """Bring a VirtualIP into service."""
    stand.operator.start_and_wait()
    stand.apply("web")
    stand.await_router("web")
    stand.speakers.acknowledge()
    stand.await_condition("web", "Accepted", "True")


def test_a_deletion_while_it_was_down(stand: Stand) -> None:
    """A VirtualIP deleted while no operator runs is released once one runs again."""
    serving(stand)
    stand.operator.stop()
    stand.delete("web")
    stand.operator.start_and_wait()
    stand.await_released("web", SECONDS_TO_CATCH_UP)


def test_a_deletion_while_the_watch_was_broken(
    stand: Stand, api: ControlPlane, proxy: FaultProxy
) -> None:
    """A VirtualIP deleted while the API was away, its history compacted, is released afterwards."""
    serving(stand)
    stand.apply("more", "192.0.2.101")
    stand.await_router("more")
    proxy.refuse()
    stand.delete("web")
    stand.apply("new", "192.0.2.102")
    api.compact()
    proxy.pass_through()
    stand.await_released("web", SECONDS_TO_CATCH_UP)
    stand.await_router("new")
    assert not (stand.router("more") or {"spec": {"retired": True}})["spec"].get("retired")


def test_etcd_restored_from_a_backup(stand: Stand, api: ControlPlane) -> None:
    """What was made after the backup is gone for the operator, too, and it hears what follows."""
    serving(stand)
    backup = api.back_up()
    stand.apply("later", "192.0.2.101")
    stand.await_router("later")
    stand.speakers.acknowledge()
    # So far that the restored server will not have come there when the operator is back.
    for _time in range(60):
        stand.speakers.acknowledge("n1")
    api.restore(backup)
    assert stand.router("later") is None
    stand.speakers.acknowledge()
    stand.apply("new", "192.0.2.102")
    stand.await_router("new", SECONDS_TO_CATCH_UP)
    stand.delete("web")
    stand.await_released("web", SECONDS_TO_CATCH_UP)
    assert stand.router("later") is None
    assert "restored from a backup" in stand.operator.log()


@pytest.mark.parametrize("trouble", ["refuse", "hang", "403", "429", "503"])
def test_it_catches_up_after_trouble(stand: Stand, proxy: FaultProxy, trouble: str) -> None:
    """Whatever the API answers for a while, the operator lives, says it once, and catches up."""
    serving(stand)
    _begin(proxy, trouble)
    until(
        "it to notice",
        lambda: stand.operator.metrics().get("vip_operator_api_trouble", 0) > 0,
        40.0,
        every=0.2,
        show=stand.describe,
    )
    stand.delete("web")
    stand.apply("new", "192.0.2.102")
    before, seconds = stand.operator.cpu_seconds(), 3.0
    throughout("the operator lives", lambda: stand.operator.running, seconds)
    assert stand.operator.cpu_seconds() - before < seconds / 3
    proxy.pass_through()
    stand.await_router("new", SECONDS_TO_CATCH_UP)
    stand.await_released("web", SECONDS_TO_CATCH_UP)
    lines = stand.operator.log().splitlines()
    assert len([line for line in lines if "ERROR" in line]) == 0, stand.operator.log()
    assert len(lines) == len(set(lines))
    assert len(lines) < 40, stand.operator.log()


def _begin(proxy: FaultProxy, trouble: str) -> None:
    if trouble == "refuse":
        proxy.refuse()
    elif trouble == "hang":
        proxy.hang()
    else:
        # Open watches would go on: cut off, they are asked for anew.
        proxy.answer(int(trouble), 1 if trouble == "429" else None)
        proxy.cut_watches()


def test_a_missing_api_at_the_start(stand: Stand, proxy: FaultProxy) -> None:
    """Without an API server the operator waits, says so once, and begins when there is one."""
    stand.apply("web")
    proxy.refuse()
    stand.operator.start()
    until("a line about it", lambda: "Could not" in stand.operator.log(), 30.0)
    assert not stand.operator.ready()
    throughout("it waits", lambda: stand.operator.running, 3.0)
    assert stand.operator.log().count("Could not") == 1
    proxy.pass_through()
    stand.await_router("web", SECONDS_TO_CATCH_UP)
    assert stand.operator.ready()


def test_missing_crds_at_the_start(stand: Stand, kubectl: Kubectl, crds: None) -> None:
    """Without the CRDs the operator waits and names them; installed, it goes on by itself."""
    kubectl("delete", "crd", "speakers.vip-operator.io", "virtualips.vip-operator.io")
    stand.operator.start()
    until("a line about it", lambda: "virtualips.vip-operator.io" in stand.operator.log(), 30.0)
    assert "speakers.vip-operator.io" in stand.operator.why_not_ready()
    install(kubectl)
    stand.apply("web")
    stand.await_router("web", SECONDS_TO_CATCH_UP)


def test_crds_deleted_and_restored(stand: Stand, kubectl: Kubectl, crds: None) -> None:
    """All CRDs and so all objects are gone; restored, every election is what it was before."""
    serving(stand)
    before = stand.await_router("web")["spec"]
    kubectl("delete", *_names())
    until("the CRDs to be missed", lambda: not stand.operator.ready(), 30.0, show=stand.describe)
    install(kubectl)
    stand.speakers.report_again()
    stand.apply("web")
    after = stand.await_router("web", SECONDS_TO_CATCH_UP)["spec"]
    assert after["instances"] == before["instances"]
    assert after["candidates"] == before["candidates"]
    assert not after.get("retired")
    assert stand.operator.running


def test_the_crd_of_virtual_ips_deleted_and_restored(
    stand: Stand, kubectl: Kubectl, crds: None
) -> None:
    """VirtualIPs that vanish with their CRD are not retired, and are served when they are back."""
    serving(stand)
    before = stand.await_router("web")
    kubectl("delete", "crd", "virtualips.vip-operator.io")
    until("a line about it", lambda: "releases of addresses wait" in stand.operator.log(), 20.0)
    install(kubectl)
    stand.apply("web")
    stand.await_condition("web", "Accepted", "True", SECONDS_TO_CATCH_UP)
    until(
        "the VirtualRouter to belong to the new object",
        lambda: stand.await_router("web")["spec"]["owners"] != before["spec"]["owners"],
        SECONDS_TO_CATCH_UP,
    )
    after = stand.await_router("web")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["instances"] == before["spec"]["instances"]
    assert not after["spec"].get("retired")


def test_a_group_loses_no_address_with_the_crd(stand: Stand, kubectl: Kubectl, crds: None) -> None:
    """A group whose VirtualIPs vanish one by one with their CRD keeps all its addresses."""
    addresses = {f"m{number}": f"192.0.2.{number}" for number in (101, 102, 103)}
    name = f"group.{stand.namespace}.front"

    def carried() -> list[str]:
        found = stand.api.find(VIRTUAL_ROUTERS, name) or {"spec": {"instances": []}}
        return [one for each in found["spec"]["instances"] for one in each["addresses"]]

    stand.operator.start_and_wait()
    for member, address in addresses.items():
        stand.apply(member, address, group="front")
    until("the group to be whole", lambda: len(carried()) == len(addresses), 15.0)
    stand.speakers.acknowledge()
    kubectl("delete", "crd", "virtualips.vip-operator.io")
    until("a line about it", lambda: "releases of addresses wait" in stand.operator.log(), 20.0)
    throughout("the group is whole", lambda: len(carried()) == len(addresses), 2.0)
    install(kubectl)
    for member, address in addresses.items():
        stand.apply(member, address, group="front")
    for member in addresses:
        stand.await_condition(member, "Accepted", "True", SECONDS_TO_CATCH_UP)
    assert carried() == list(addresses.values())


def test_a_command_without_a_way_to_an_api(tmp_path: Path) -> None:
    """Without a kubeconfig that exists the command ends with 1 and names the file."""
    program = str(Path(sys.executable).with_name("vip-operator"))
    command = [program, "run", "--kubeconfig", str(tmp_path / "none"), "--http", "none"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 1
    assert str(tmp_path / "none") in run.stderr
