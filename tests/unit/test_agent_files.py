"""Manifests on disk: when a change is taken, and what is no manifest."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from vip_speaker.agent.files import Document, ManifestsError, Snapshot, Watcher, read

ONE = "kind: VirtualIP\nmetadata: {name: one}\n"
TWO = "kind: VirtualIP\nmetadata: {name: two}\n"


def names(snapshot: Snapshot | None) -> list[str] | None:
    """Return the names in a snapshot; None if there is none."""
    if snapshot is None:
        return None
    assert snapshot.problems == ()
    return [document.content["metadata"]["name"] for document in snapshot.documents]


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
    (tmp_path / "folder.yaml").mkdir()

    found = [document.content["metadata"]["name"] for document in read(tmp_path)]

    assert found == ["a.yaml", "b.yml", "c.json"]


def test_a_new_file_in_a_directory_is_seen(tmp_path: Path) -> None:
    """A file that is added to the directory is a change."""
    (tmp_path / "a.yaml").write_text(ONE)
    let_rest(tmp_path / "a.yaml")
    watcher = Watcher(tmp_path)
    watcher.poll()
    (tmp_path / "b.yaml").write_text(TWO)
    watcher.poll()

    assert names(watcher.poll()) == ["one", "two"]


def test_documents_and_lists(file: Path) -> None:
    """Several documents and the items of a List count one by one; empty documents do not."""
    file.write_text(
        f"---\n{ONE}---\n# nothing\n---\nkind: List\nitems:\n- {{kind: Node}}\n- null\n"
    )

    assert read(file) == [
        Document(f"{file}, document 1", {"kind": "VirtualIP", "metadata": {"name": "one"}}),
        Document(f"{file}, document 3, items[0]", {"kind": "Node"}),
    ]


def test_a_comment_alone_is_an_explicit_nothing(file: Path) -> None:
    """A file with only a comment is valid and holds no document."""
    file.write_text("# No address on this host at the moment.\n")

    assert read(file) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "is empty, as if it were being written", id="empty"),
        pytest.param(" \n\n", "is empty, as if it were being written", id="blank"),
        pytest.param("spec: {a: 1", "line 2, column 1: did not find", id="open brace"),
        pytest.param("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key a comes twice", id="twice"),
        pytest.param("- 1\n", "is a list, not an object", id="list"),
        pytest.param("hello\n", "is a str, not an object", id="text"),
        pytest.param("a: !!python/name:os.system x\n", "could not determine", id="code"),
        pytest.param("kind: List\nitems: 3\n", "items of a List must be a list", id="items"),
        pytest.param("when: 2024-99-99\n", "neither YAML nor JSON", id="date"),
        pytest.param("a: \x00\n", "neither YAML nor JSON", id="control character"),
    ],
)
def test_what_is_no_manifest(file: Path, text: str, words: str) -> None:
    """Each kind of damage is one error that names the file and the trouble."""
    file.write_text(text)

    with pytest.raises(ManifestsError) as caught:
        read(file)

    assert str(file) in str(caught.value)
    assert words in str(caught.value)


def test_bytes_that_are_no_text(file: Path) -> None:
    """A binary file is an error, not a crash."""
    file.write_bytes(b"\x7fELF\x80\x81\x82")

    with pytest.raises(ManifestsError, match="neither YAML nor JSON"):
        read(file)


def test_a_directory_without_manifests(tmp_path: Path) -> None:
    """An empty directory is refused with the way out, since it may be one that is not mounted."""
    with pytest.raises(ManifestsError, match="put a file with only a comment into it"):
        read(tmp_path)


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
