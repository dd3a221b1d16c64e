"""Which set of manifests is in force as the file changes."""

from __future__ import annotations

import asyncio
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
