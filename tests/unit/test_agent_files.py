"""Manifests on disk: which files count, and when a change is taken."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from vip_common.manifests.reading import ManifestsError, read
from vip_model.schema.parse import label_of
from vip_speaker.agent.manifests.files import Snapshot, Watcher

ONE = "kind: VirtualIP\nmetadata: {name: one}\n"
TWO = "kind: VirtualIP\nmetadata: {name: two}\n"


def names(snapshot: Snapshot | None) -> list[str] | None:
    """Return the names in a snapshot; None if there is none."""
    if snapshot is None:
        return None
    assert snapshot.problems == ()
    return [str(label_of(each.content)).split("/")[1] for each in snapshot.documents]


def let_rest(path: Path) -> None:
    """Make a file look as if nobody had touched it for a minute."""
    minute_ago = time.time() - 60
    os.utime(path, (minute_ago, minute_ago))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A manifest that has been there for a minute."""
    path = tmp_path / "vip.yaml"
    path.write_text(ONE)
    let_rest(path)
    return path


def test_a_file_at_rest_is_taken_at_the_first_look(file: Path) -> None:
    """A start does not wait for a file that nobody writes."""
    assert names(Watcher(file).poll()) == ["one"]


def test_nothing_new_is_reported_once(file: Path) -> None:
    """The same manifests are returned only once."""
    watcher = Watcher(file)
    watcher.poll()

    assert watcher.poll() is None


def test_a_change_is_taken_when_it_looked_the_same_twice(file: Path) -> None:
    """A change in place is returned at the second poll that sees it."""
    watcher = Watcher(file)
    watcher.poll()
    file.write_text(TWO)

    assert [names(watcher.poll()), names(watcher.poll())] == [None, ["two"]]


def test_a_file_that_still_grows_is_not_taken(file: Path) -> None:
    """An editor that truncates and then writes in pieces is never read half-way."""
    watcher = Watcher(file)
    watcher.poll()
    seen = []
    for text in ("", "kind: VirtualIP\n", ONE, ONE + "---\n" + TWO):
        file.write_text(text)
        seen.append(watcher.poll())

    assert seen == [None] * 4
    assert names(watcher.poll()) == ["one", "two"]


def test_a_rename_over_the_file_is_seen(file: Path) -> None:
    """An atomic replacement is a change, even with the same size and time."""
    watcher = Watcher(file)
    watcher.poll()
    other = file.with_name("new")
    other.write_text(TWO)
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.rename(file)

    assert names(watcher.poll()) == ["two"]


def test_a_turned_symbolic_link_is_seen(tmp_path: Path) -> None:
    """Files that are swapped by a symbolic link, as kubelet does it, are a change."""
    for name, text in (("v1", ONE), ("v2", TWO)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vip.yaml").write_text(text)
        let_rest(tmp_path / name / "vip.yaml")
    (tmp_path / "data").symlink_to("v1")
    watcher = Watcher(tmp_path / "data")
    watcher.poll()
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").rename(tmp_path / "data")

    assert names(watcher.poll()) == ["two"]


def test_a_touched_file_is_no_change(file: Path) -> None:
    """A new time without new content is not reported."""
    watcher = Watcher(file)
    watcher.poll()
    file.touch()

    assert [watcher.poll(), watcher.poll()] == [None, None]


def test_a_file_that_goes_and_comes_back(file: Path) -> None:
    """A missing file is a problem that names it, and its return is reported."""
    watcher = Watcher(file)
    watcher.poll()
    file.unlink()
    watcher.poll()
    missing = watcher.poll()
    file.write_text(ONE)
    watcher.poll()

    assert missing == Snapshot(problems=(f"Cannot read {file}: No such file or directory",))
    assert names(watcher.poll()) == ["one"]


def test_a_directory_is_read_in_order_of_name(tmp_path: Path) -> None:
    """Manifests by suffix, sorted; hidden files, folders and other suffixes are left alone."""
    for name in ("b.yml", "a.yaml", ".hidden.yaml", "notes.txt", "c.json"):
        (tmp_path / name).write_text(json.dumps({"metadata": {"name": name}}))

    found = [document.origin for document in read(tmp_path).documents]

    assert [Path(origin).name for origin in found] == ["a.yaml", "b.yml", "c.json"]


def test_a_new_file_in_a_directory_is_seen(tmp_path: Path) -> None:
    """A file that is added to the directory is a change."""
    (tmp_path / "a.yaml").write_text(ONE)
    let_rest(tmp_path / "a.yaml")
    watcher = Watcher(tmp_path)
    watcher.poll()
    (tmp_path / "b.yaml").write_text(TWO)
    watcher.poll()

    assert names(watcher.poll()) == ["one", "two"]


def test_a_directory_without_manifests(tmp_path: Path) -> None:
    """An empty directory is refused with the way out, since it may be one that is not mounted."""
    with pytest.raises(ManifestsError, match="put a file with only a comment into it"):
        read(tmp_path)


def test_what_is_no_file_is_skipped_with_a_word(tmp_path: Path) -> None:
    """A FIFO, a socket, a device and a directory hold nobody up, and each is named."""
    (tmp_path / "vip.yaml").write_text(ONE)
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "directory.yaml").mkdir()
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket.yaml"))

    with listener:
        snapshot = Watcher(tmp_path).poll() or Watcher(tmp_path).poll()
        found = read(tmp_path)

    assert names(Snapshot(found.documents)) == ["one"]
    assert found.skipped == (
        f"Skipped {tmp_path}/device.yaml: it is a device, not a file",
        f"Skipped {tmp_path}/directory.yaml: it is a directory, not a file",
        f"Skipped {tmp_path}/fifo.yaml: it is a FIFO, not a file",
        f"Skipped {tmp_path}/socket.yaml: it is a socket, not a file",
    )
    assert snapshot is None or snapshot.skipped == found.skipped


def test_backups_of_editors_are_no_manifests(tmp_path: Path) -> None:
    """What an editor or a package manager leaves beside a file is not read."""
    (tmp_path / "vip.yaml").write_text(ONE)
    left = ("vip.yaml~", "#vip.yaml#", ".vip.yaml.swp", "vip.yaml.bak", "vip.yaml.orig", "4913")
    for name in (*left, "vip.yaml.rpmnew", "vip.yaml.dpkg-dist"):
        (tmp_path / name).write_text("half [")
    (tmp_path / ".#vip.yaml").symlink_to("somebody@elsewhere.4711")

    assert len(read(tmp_path).documents) == 1


def test_a_suffix_in_capitals_counts(tmp_path: Path) -> None:
    """A file named VIP.YML is not left out without a word."""
    (tmp_path / "VIP.YML").write_text(ONE)

    assert len(read(tmp_path).documents) == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("loop.yaml", "it is a symbolic link that leads back to itself: remove it"),
        ("gone.yaml", "it is a symbolic link to gone.yaml, which does not exist"),
    ],
)
def test_links_that_lead_nowhere_are_named(tmp_path: Path, target: str, words: str) -> None:
    """A manifest that cannot be reached is an error: without it an address would be dropped."""
    (tmp_path / "vip.yaml").write_text(ONE)
    (tmp_path / "loop.yaml").symlink_to(target)

    with pytest.raises(ManifestsError) as caught:
        read(tmp_path)

    assert str(caught.value) == f"Cannot read {tmp_path}/loop.yaml: {words}"


def test_a_device_without_an_end_is_refused() -> None:
    """Reading stops at the size that no manifest has."""
    with pytest.raises(ManifestsError, match="/dev/zero is larger than 4 MiB"):
        read(Path("/dev/zero"))


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """What a shell substitutes for a file can be checked."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_text, args=(ONE,))
    writer.start()
    found = read(fifo)
    writer.join()

    assert names(Snapshot(found.documents)) == ["one"]


def test_a_watched_fifo_is_refused(tmp_path: Path) -> None:
    """A speaker does not wait for somebody to write into a pipe."""
    os.mkfifo(tmp_path / "fifo")
    watcher = Watcher(tmp_path / "fifo")
    watcher.poll()
    found = watcher.poll()

    assert found is not None
    assert found.problems == (f"Cannot read {tmp_path}/fifo: it is a FIFO, not a file",)


def test_damage_is_reported_and_its_repair_too(file: Path) -> None:
    """A file that turns invalid is one problem; the old content again is one snapshot."""
    watcher = Watcher(file)
    watcher.poll()
    file.write_text("spec: {")
    watcher.poll()
    broken = watcher.poll()
    file.write_text(ONE)
    watcher.poll()

    assert broken is not None
    assert "line" in broken.problems[0]
    assert names(watcher.poll()) == ["one"]


def test_every_damaged_file_is_named(tmp_path: Path) -> None:
    """The damage of one file does not hide that of another."""
    (tmp_path / "a.yaml").write_text("[1")
    (tmp_path / "b.yaml").write_text(ONE)
    (tmp_path / "c.yaml").write_text("")

    with pytest.raises(ManifestsError) as caught:
        read(tmp_path)

    first, second = caught.value.problems
    assert "a.yaml" in first
    assert "c.yaml" in second
