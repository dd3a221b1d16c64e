"""The parts of the cluster harness that need neither root nor a cluster."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest

from support.rings import ROOT
from vip_lab.cluster import archive, cache, inotify, service
from vip_lab.cluster.settings import Settings
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
    command = [str(ROOT / "hack/cluster-packages"), "--missing"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    known = "buildah conntrack containerd containernetworking-plugins debootstrap iproute2 iptables"
    assert set(done.stdout.split()) <= {*known.split(), "nftables", "openssl", "runc", "util-linux"}
    assert not done.stderr
