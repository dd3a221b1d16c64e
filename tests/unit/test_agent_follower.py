"""Which set of manifests is in force as the file changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.fake_engine import until
from support.manifests import virtual_ip
from vip_speaker.agent.manifests import files, follower
from vip_speaker.agent.manifests.follower import Follower
from vip_speaker.agent.manifests.static import NodePlan

WEB = virtual_ip("web", "192.0.2.100", 51)
DATABASE = virtual_ip("database", "192.0.2.101", 52)
# Comes after web by name and takes its VRID.
ZOO = virtual_ip("zoo", "192.0.2.102", 51)


class Scene:
    """A follower of one file, and what it handed on."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.applied: list[tuple[list[str], int]] = []
        self.engine_runs: frozenset[str] = frozenset()
        self.follower = Follower(file, "n1", self._apply, self._routers_of_engine)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the newest version."""
        return self.follower.configuration.problems

    async def _apply(self, plan: NodePlan, revision: int) -> None:
        assert plan.routers is not None
        self.applied.append(([router.display_name for router in plan.routers], revision))

    async def _routers_of_engine(self) -> frozenset[str]:
        return self.engine_runs

    async def in_force(self, *names: str) -> None:
        """Wait until just these routers are in force."""
        await until(lambda: bool(self.applied) and self.applied[-1][0] == list(names))


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A follower at work; there is no file yet."""
    monkeypatch.setattr(files, "POLL_SECONDS", 0.01)
    scene = Scene(tmp_path / "vip.yaml")
    task = asyncio.create_task(scene.follower.run())
    yield scene
    task.cancel()
    await asyncio.wait({task})


async def test_follows_changes(scene: Scene) -> None:
    """Each valid version is handed on, with a revision that grows."""
    scene.file.write_text(WEB)
    await scene.in_force("shop/web")
    scene.file.write_text(WEB + DATABASE)
    await scene.in_force("shop/database", "shop/web")
    first, second = (revision for _names, revision in scene.applied)

    assert 0 < first < second
    assert scene.follower.configuration.revision == second
    assert scene.follower.configuration.valid


async def test_waits_for_a_file(scene: Scene) -> None:
    """A file that is not there at the start is said, and taken when it comes."""
    await until(lambda: bool(scene.problems))
    assert scene.problems == [f"Cannot read {scene.file}: No such file or directory"]
    assert scene.follower.configuration.revision == 0

    scene.file.write_text(WEB)
    await scene.in_force("shop/web")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: [", "all brackets are closed"),
        (WEB.replace("192.0.2.100", "192.0.2.999"), "192.0.2.999"),
        (WEB.replace('"addresses"', '"adresses"'), "adresses"),
        (WEB + ZOO, "virtualRouterID"),
        ("", "is empty"),
    ],
    ids=["no YAML", "bad address", "unknown field", "collision", "empty"],
)
async def test_the_last_good_set_stays(
    scene: Scene, text: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A version that is invalid in any way changes nothing but what is said, until its repair."""
    scene.file.write_text(WEB)
    await scene.in_force("shop/web")
    good = scene.follower.configuration
    scene.file.write_text(text)
    await until(lambda: bool(scene.problems))

    assert len(scene.applied) == 1
    assert words in scene.problems[0]
    assert str(scene.file) in scene.problems[0]
    assert scene.follower.configuration.revision == good.revision
    assert scene.follower.configuration.loaded == good.loaded
    assert not scene.follower.configuration.valid
    assert "keeping the last valid set" in caplog.text

    scene.file.write_text(DATABASE)
    await scene.in_force("shop/database")
    assert scene.follower.configuration.valid


async def test_an_invalid_first_version_waits(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """An invalid file at the start runs nothing, and the log says what it waits for."""
    scene.file.write_text(WEB.replace("192.0.2.100", "localhost") + DATABASE)
    await until(lambda: "waiting for a valid one" in caplog.text and "localhost" in caplog.text)

    assert scene.applied == []


async def test_a_first_version_with_a_collision_runs_without_the_later_one(scene: Scene) -> None:
    """At a first start only the later of a colliding pair is left out, with the line to add."""
    scene.file.write_text(ZOO + WEB)
    await scene.in_force("shop/web")

    assert len(scene.problems) == 1
    assert "shop/zoo" in scene.problems[0]
    assert "such as" in scene.problems[0]
    assert not scene.follower.configuration.valid


async def test_a_collision_takes_nothing_from_an_engine_that_runs(scene: Scene) -> None:
    """A new agent beside a running engine does not end a router because of a collision."""
    scene.engine_runs = frozenset({"vip.shop.web", "vip.shop.zoo"})
    scene.file.write_text(ZOO + WEB)
    await until(lambda: any("shop/zoo" in problem for problem in scene.problems))

    assert scene.applied == []


async def test_a_comment_alone_ends_every_router(scene: Scene) -> None:
    """The last address goes when the file says nothing, in so many words."""
    scene.file.write_text(WEB)
    await scene.in_force("shop/web")
    scene.file.write_text("# No address on this host at the moment.\n")
    await scene.in_force()


async def test_a_failure_to_plan_is_a_refusal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error while planning leaves the last good set and its gates alone."""

    def broken(*_arguments: object, **_options: object) -> NodePlan:
        raise ZeroDivisionError("oops")

    scene.file.write_text(WEB)
    await scene.in_force("shop/web")
    monkeypatch.setattr(follower, "plan_node", broken)
    scene.file.write_text(DATABASE)
    await until(lambda: bool(scene.problems))

    assert "please report it" in scene.problems[0]
    assert len(scene.applied) == 1


async def test_documents_of_other_kinds_are_ignored(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A file shared with a cluster may hold anything else besides."""
    caplog.set_level("INFO")
    other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
    scene.file.write_text(WEB + other)
    await scene.in_force("shop/web")

    assert "ConfigMap settings" in caplog.text
    assert scene.follower.configuration.valid


def _replace_unseen(file: Path, text: str) -> None:
    """Write as many bytes into the same file and give it back its time: stat shows no change."""
    before = file.stat()
    assert len(text.encode()) == before.st_size
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


async def test_what_stat_does_not_show_is_read_when_asked(scene: Scene) -> None:
    """A restored backup keeps the time of the file: polling is blind to it, SIGHUP is not."""
    old_ns = 1_700_000_000 * 1_000_000_000
    scene.file.write_text(WEB)
    os.utime(scene.file, ns=(old_ns, old_ns))
    await scene.in_force("shop/web")
    _replace_unseen(scene.file, WEB.replace('"web"', '"wob"'))
    scene.follower.read_again()
    await scene.in_force("shop/wob")


async def test_what_did_not_change_is_handed_on_when_asked(scene: Scene) -> None:
    """Once for each time somebody asks, with a revision that grows; nothing else changes."""
    scene.file.write_text(WEB)
    await scene.in_force("shop/web")
    scene.follower.read_again()
    await until(lambda: len(scene.applied) == 2)
    scene.follower.read_again()
    await until(lambda: len(scene.applied) == 3)
    names, revisions = zip(*scene.applied, strict=True)
    assert set(map(tuple, names)) == {("shop/web",)}
    assert list(revisions) == sorted(set(revisions))


async def test_asking_makes_nothing_bad_good(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A version that was refused is refused again, and the last good set stays."""
    scene.file.write_text(WEB)
    await scene.in_force("shop/web")
    scene.file.write_text("kind: [")
    await until(lambda: bool(scene.problems))
    assert caplog.text.count("keeping the last valid set") == 1
    scene.follower.read_again()
    await until(lambda: caplog.text.count("keeping the last valid set") == 2)
    assert len(scene.applied) == 1
