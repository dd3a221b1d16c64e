"""The parts of the cluster harness that need neither root nor a cluster."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest

from support import rings
from support.fake_commands import FakeCommands
from support.rings import ROOT
from vip_lab.cluster import archive, cache, cgroups, command, inotify, packages, service
from vip_lab.cluster.settings import Settings
from vip_lab.kubernetes import binaries
from vip_lab.wait import until


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A limit of 128 that is nobody's but the test's."""
    path = tmp_path / "limit"
    path.write_text("128\n")
    monkeypatch.setattr(inotify, "_LIMIT", path)
    monkeypatch.setattr(inotify, "_BEFORE", tmp_path / "before")
    return path


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is nobody's but the test's."""
    monkeypatch.setenv("VIP_OPERATOR_CACHE", str(tmp_path))
    return tmp_path


def _pause_image(path: Path) -> dict[str, bytes]:
    archive.write_pause(path)
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def test_archive_names_what_it_holds(tmp_path: Path) -> None:
    """Manifest, configuration and layer of an archive refer to each other by their hashes."""
    files = _pause_image(tmp_path / "pause.tar")
    (manifest,) = json.loads(files["manifest.json"])
    assert manifest["RepoTags"] == [archive.PAUSE]
    (layer,) = manifest["Layers"]
    digest = hashlib.sha256(files[layer]).hexdigest()
    configuration = json.loads(files[manifest["Config"]])
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{digest}"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is for x86_64")
def test_pause_program_waits_without_work(tmp_path: Path) -> None:
    """The pause image's program starts, and then sleeps until it is killed."""
    files = _pause_image(tmp_path / "pause.tar")
    (layer,) = json.loads(files["manifest.json"])[0]["Layers"]
    (tmp_path / "layer.tar").write_bytes(files[layer])
    with tarfile.open(tmp_path / "layer.tar") as tar:
        tar.extract("pause", tmp_path)
    process = subprocess.Popen([tmp_path / "pause"])
    try:
        until("it to sleep", lambda: _is_in_pause(process.pid), 5)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def _is_in_pause(pid: int) -> bool:
    """Whether a process sleeps, of its own code and not while it is being started."""
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return (name, state) == ("pause", "S")


def test_last_cluster_restores_the_limit(limit: Path) -> None:
    """Two clusters share a raised limit, and only the end of the second one restores it."""
    first, second = inotify.InotifyLimit(), inotify.InotifyLimit()
    assert limit.read_text() == "1024\n"
    first.restore()
    assert limit.read_text() == "1024\n"
    second.restore()
    assert limit.read_text() == "128\n"
    assert not (limit.parent / "before").exists()


def test_limit_of_a_killed_cluster_is_restored(limit: Path) -> None:
    """What a killed cluster left raised is put back by the next one's sweep."""
    (limit.parent / "before").write_text("128\n")
    limit.write_text("1024\n")
    inotify.restore_for_the_dead()
    assert limit.read_text() == "128\n"


def test_higher_limit_is_left_alone(limit: Path) -> None:
    """A limit that is higher than what clusters want stays as it is."""
    limit.write_text("8192\n")
    raised = inotify.InotifyLimit()
    assert limit.read_text() == "8192\n"
    raised.restore()
    assert limit.read_text() == "8192\n"


def test_contact_is_that_of_a_living_holder(own_cache: Path) -> None:
    """A contact counts while its process lives, and no longer."""
    assert service.contact() is None
    holder = subprocess.Popen(
        [sys.executable, "-c", "input()", "vip_lab.cluster"], stdin=subprocess.PIPE
    )
    written = service.Contact(holder.pid, "/tmp/k", "viplab-client", {"n1": "viplab-n1"})
    (own_cache / "cluster.json").write_text(json.dumps(asdict(written)))
    try:
        until("the process to have its name", lambda: service.contact() == written, 5)
    finally:
        holder.kill()
        holder.communicate()
    assert service.contact() is None
    assert "--kubeconfig=/tmp/k" in written.text()


def test_hash_follows_the_files(own_cache: Path) -> None:
    """The key of an image changes with the files and the words that it is made from."""
    files = [ROOT / "LICENSE", ROOT / "README.md"]
    key = cache.hash_of_files(files, "base-1")
    assert key == cache.hash_of_files(reversed(files), "base-1")
    assert key != cache.hash_of_files(files, "base-2")
    assert key != cache.hash_of_files(files[:1], "base-1")


def test_settings_give_each_node_its_own_pods(tmp_path: Path) -> None:
    """The pod network of a node comes from its number, in what it says and in what it writes."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    settings = Settings("n2", 2, tmp_path / "n2", kubeconfig, kubeconfig)
    settings.write()
    assert settings.pod_network == "10.244.2.0/24"
    network = json.loads((tmp_path / "n2/cni/lab.conflist").read_text())
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.2.0/24"}]]
    assert archive.PAUSE in (tmp_path / "n2/containerd.toml").read_text()


def test_installer_names_packages_only() -> None:
    """`hack/cluster-packages --missing` lists packages that Debian has a name for, or nothing."""
    words = [str(ROOT / "hack/cluster-packages"), "--missing"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    known = "buildah conntrack containerd containernetworking-plugins debootstrap iproute2 iptables"
    assert set(done.stdout.split()) <= {*known.split(), "nftables", "openssl", "runc", "util-linux"}
    assert not done.stderr


# --- whether a cluster can run here --------------------------------------------------------------


@pytest.fixture
def modprobe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """A machine with everything but overlayfs, and a modprobe that knows no module."""
    fakes = FakeCommands(tmp_path, monkeypatch)
    fakes.add("modprobe", {"*": "exit 1"})
    for name in packages.NODE_BINARIES:
        fakes.add(name)
    (fakes.state / "filesystems").write_text("nodev\tproc\n\text4\n")
    monkeypatch.setattr(packages, "_FILE_SYSTEMS", fakes.state / "filesystems")
    monkeypatch.setattr(packages, "missing_packages", list)
    monkeypatch.setattr(binaries, "DIRECTORY", fakes.directory)
    monkeypatch.setattr(binaries, "why_no_binaries", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return fakes


def test_overlayfs_is_loaded_where_it_is_a_module(modprobe: FakeCommands) -> None:
    """A kernel that has not loaded overlayfs yet is told to, before it is said to have none."""
    modprobe.add("modprobe", {"-q overlay": "echo 'nodev overlay' >>filesystems"})
    assert packages.why_no_cluster() is None
    assert packages.why_no_cluster() is None
    assert modprobe.called() == ["modprobe -q overlay"]


def test_a_kernel_without_overlayfs_is_a_reason(modprobe: FakeCommands) -> None:
    """Where overlayfs cannot be loaded, or nothing can load modules, that is the reason."""
    assert packages.why_no_cluster() == "needs a kernel with overlayfs"
    (modprobe.directory / "modprobe").write_text("no program")
    assert packages.why_no_cluster() == "needs a kernel with overlayfs"


def test_a_failed_preparation_is_the_reason_of_the_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hack/pytest could not make for nodes is why their tests are skipped."""
    monkeypatch.delenv("VIP_CLUSTER", raising=False)
    monkeypatch.setattr(rings, "why_no_network_ring", lambda: None)
    monkeypatch.setattr(rings, "why_no_cluster", lambda: None)
    monkeypatch.delenv("VIP_CLUSTER_FAILURE", raising=False)
    assert rings.why_no_cluster_ring() is None
    monkeypatch.setenv("VIP_CLUSTER_FAILURE", "what nodes need could not be made")
    assert rings.why_no_cluster_ring() == "what nodes need could not be made"


def test_no_images_are_made_where_no_cluster_can_run(
    modprobe: FakeCommands, capsys: pytest.CaptureFixture[str]
) -> None:
    """`images` on a machine that cannot run a cluster says so and ends with a status of its own."""
    assert command.main(["images"]) == 3
    assert (
        capsys.readouterr().err == "cluster: no images: a cluster needs a kernel with overlayfs\n"
    )


# --- control groups ------------------------------------------------------------------------------


@pytest.fixture
def hierarchies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A hierarchy of version 1 and one of version 2, as directories of ordinary files."""
    first, second = tmp_path / "memory", tmp_path / "unified"
    first.mkdir()
    second.mkdir()
    mounts = tmp_path / "mounts"
    lines = [f"cgroup {first} cgroup rw,memory 0 0", f"cgroup2 {second} cgroup2 rw 0 0"]
    mounts.write_text("\n".join(["proc /proc proc rw 0 0", *lines]))
    monkeypatch.setattr(cgroups, "_MOUNTS", mounts)
    (second / "cgroup.controllers").write_text("cpuset cpu memory hugetlb pids\n")
    return first, second


def test_a_group_of_version_2_has_every_controller(hierarchies: tuple[Path, Path]) -> None:
    """The root hands down each of its controllers, one by one, as a kubelet wants them all."""
    first, second = hierarchies
    cgroups.make("viplab-n1")
    handed_down = (second / "cgroup.subtree_control").read_text().splitlines()
    assert handed_down == ["+cpuset", "+cpu", "+memory", "+hugetlb", "+pids"]
    assert (second / "viplab-n1").is_dir()
    assert [each.name for each in first.iterdir()] == ["viplab-n1"]


def test_a_controller_that_is_refused_is_no_obstacle(hierarchies: tuple[Path, Path]) -> None:
    """Where the kernel keeps a controller to the root, the group is made without it."""
    _first, second = hierarchies
    (second / "cgroup.subtree_control").mkdir()
    cgroups.make("viplab-n1")
    assert (second / "viplab-n1").is_dir()
