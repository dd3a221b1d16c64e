"""The command `vip-speaker`: words, settings, roles, and what `status` prints."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.fake_engine import FakeEngine, serving
from support.statuses import router_status, status
from vip_model.vocabulary import GateState
from vip_speaker import cli
from vip_speaker import status_command as status_module
from vip_speaker.messages import DEFAULT_SOCKET, Counters, GateStatus
from vip_speaker.settings import SETTINGS_VARIABLE, Settings, SettingsError

NOW = datetime(2026, 1, 1, 0, 3, 5, tzinfo=UTC)


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Settings]]:
    """What the command replaced itself by: command line and settings."""
    calls: list[tuple[list[str], Settings]] = []

    def execve(path: str, command: list[str], environment: dict[str, str]) -> None:
        assert path == command[0]
        calls.append((command, Settings.from_environment(environment)))

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/vip-speaker", "whatever"])
    return calls


def test_run_becomes_the_supervisor(became: list[tuple[list[str], Settings]]) -> None:
    """`run` replaces itself by a supervisor with an agent, its options in the environment."""
    cli.main(["run", "--manifests", "/etc/vip.yaml", "--node", "n1", "--log-level", "debug"])
    ((command, settings),) = became

    assert command == [sys.executable, "/usr/bin/vip-speaker", "supervisor"]
    assert settings == Settings(
        node="n1",
        manifests="/etc/vip.yaml",
        log_level="debug",
        with_agent=True,
    )


@pytest.mark.parametrize("role", ["supervisor", "engine"])
def test_a_role_with_options_becomes_the_bare_role(
    role: str, became: list[tuple[list[str], Settings]]
) -> None:
    """Options given to a role travel in the environment too, and bring no agent with them."""
    cli.main([role, "--node", "n1", "--socket", "/tmp/s"])
    ((command, settings),) = became

    assert command[-1] == role
    assert settings == Settings(node="n1", socket="/tmp/s", http=None)


def test_agent_takes_manifests(became: list[tuple[list[str], Settings]]) -> None:
    """An agent can be started beside an engine by hand."""
    cli.main(["agent", "--node", "n1", "--manifests", "/m", "--http", "none"])
    ((command, settings),) = became

    assert command[-1] == "agent"
    assert settings == Settings(node="n1", manifests="/m", http=None)


def test_defaults(became: list[tuple[list[str], Settings]]) -> None:
    """Without options: the host's name, the system's directories, the known socket."""
    cli.main(["run", "--manifests", "vip.yaml"])
    ((_command, settings),) = became

    assert settings.node == os.uname().nodename
    assert settings.manifests == str(Path.cwd() / "vip.yaml")
    assert settings.state_directory == "/run/vip-operator"
    assert settings.cache_directory == "/var/lib/vip-operator"
    assert settings.socket == DEFAULT_SOCKET
    assert settings.http == "127.0.0.1:9112"


def test_a_state_directory_holds_cache_and_socket(
    became: list[tuple[list[str], Settings]],
) -> None:
    """A state directory of one's own keeps a second speaker's files apart with one option."""
    cli.main(["run", "--manifests", "/m", "--state-directory", "/tmp/n1"])
    cli.main(
        ["run", "--manifests", "/m", "--state-directory", "/tmp/n1", "--cache-directory", "/c"]
    )
    first, second = (settings for _command, settings in became)

    assert (first.state_directory, first.cache_directory) == ("/tmp/n1", "/tmp/n1")
    assert first.socket == "/tmp/n1/engine.sock"
    assert second.cache_directory == "/c"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["run"], "required: --manifests"),
        (["run", "--manifests", ""], "must not be empty"),
        (["run", "--manifests", "m", "--node", " "], "must not be empty"),
        (["run", "--manifests", "m", "--http", "9112"], "is not ADDRESS:PORT"),
        (["run", "--manifests", "m", "--http", "127.0.0.1:99999"], "is not ADDRESS:PORT"),
        (["run", "--manifests", "m", "--log-level", "loud"], "invalid choice: 'loud'"),
        (["engine", "--manifests", "m"], "unrecognized arguments"),
        (["status", "--manif", "m"], "unrecognized arguments"),
    ],
)
def test_wrong_usage(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage ends with status 2 and names what is wrong."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("address", ["[::1]:9112", "0.0.0.0:0", "localhost:80"])
def test_http_addresses(address: str, became: list[tuple[list[str], Settings]]) -> None:
    """IPv6 addresses, names and any port are taken as they are."""
    cli.main(["run", "--manifests", "/m", "--http", address])

    assert became[0][1].http == address


def test_settings_survive_the_environment() -> None:
    """What is written into the environment is read back the same."""
    settings = Settings(node="n1", manifests="/m", http=None, with_agent=True)

    assert Settings.from_environment(settings.to_environment()) == settings


def test_settings_of_another_version() -> None:
    """Unknown fields are ignored, missing ones have their defaults."""
    found = Settings.from_environment({SETTINGS_VARIABLE: '{"node": "n1", "colour": "blue"}'})

    assert found == Settings(node="n1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an object with the field node"),
        ("{}", "is not an object with the field node"),
        ('{"node": 3}', "node is 3, not a str"),
        ('{"node": null}', "node is None, not a str"),
        ('{"node": "n1", "with_agent": "yes"}', "with_agent is 'yes', not a bool"),
    ],
)
def test_damaged_settings(text: str, message: str) -> None:
    """Settings that cannot be used are one error that names variable and field."""
    with pytest.raises(SettingsError, match=SETTINGS_VARIABLE) as caught:
        Settings.from_environment({SETTINGS_VARIABLE: text})

    assert message in str(caught.value)


def test_a_role_with_damaged_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A role that cannot read its settings ends with status 2 and one sentence."""
    monkeypatch.setenv(SETTINGS_VARIABLE, "{")

    assert cli.main(["engine"]) == 2
    assert "is not JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("vip_speaker.cli", {"argparse", "msgspec", "aiohttp", "yaml", "asyncio"}),
        ("vip_speaker.supervisor", {"argparse", "msgspec", "aiohttp", "yaml", "asyncio"}),
        (
            "vip_speaker.engine.main",
            {"argparse", "aiohttp", "yaml", "asyncio", "prometheus_client", "vip_speaker.agent"},
        ),
    ],
)
def test_roles_import_little(module: str, forbidden: set[str]) -> None:
    """What is restarted in a hurry does not load what only others need."""
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert forbidden.isdisjoint(loaded.stdout.split())


def test_version() -> None:
    """`vip-speaker --version` and `python -m vip_speaker --version` say the same."""
    shown = subprocess.run(
        [sys.executable, "-m", "vip_speaker", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert shown.stdout.startswith("vip-speaker ")


# --- status --------------------------------------------------------------------------------------


async def run_status(*words: str) -> int:
    """Run `vip-speaker status` in a thread, so that the loop can play the engine."""
    return await asyncio.to_thread(cli.main, ["status", *words])


async def test_status_prints_json_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` prints the node, its virtual routers, those of others and the loop's turns."""
    path = tmp_path / "engine.sock"
    async with serving(FakeEngine(), path):
        code = await run_status("--json", "--socket", str(path))

    assert code == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "node": "n1",
        "virtualRouters": [],
        "foreign": [],
        "watched": [],
        "neighbours": [],
        "drops": {},
        "turns": None,
    }


def test_document_has_the_promised_fields() -> None:
    """Each item of `--json` carries the fields that programs may rely on."""
    (item,) = status_module.document(status(router_status()))["virtualRouters"]

    assert item.keys() >= {
        "name", "interface", "family", "virtualRouterID", "state", "priority",
        "effectivePriority", "since", "addresses", "gates", "counters",
    }  # fmt: skip
    assert item["counters"]["advertisementsSent"] == 12
    assert item["counters"]["drops"] == {"Checksum": 3}


async def test_status_prints_a_table_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without options the answer is readable."""
    path = tmp_path / "engine.sock"
    async with serving(FakeEngine(node="n7"), path):
        code = await run_status("--socket", str(path))

    assert code == 0
    assert capsys.readouterr().out == "Node n7\nNo virtual router runs here.\n"


def test_table() -> None:
    """The table is aligned and says where, which, what, since when, and why."""
    failing = GateStatus(name="nginx", state=GateState.FAILING, reason="HTTP 503")
    skipped = GateStatus(name="pods", state=GateState.NOT_APPLICABLE)
    text = status_module.table(
        status(
            router_status(),
            router_status(
                name="shop/database",
                interface="",
                virtual_router_id=7,
                state="Initialize",
                effective_priority=154,
                reason="Waiting for eth7",
                addresses=["192.0.2.101", "192.0.2.102"],
                gates=[failing, skipped],
                since="2026-01-01T00:03:00Z",
            ),
            router_status(state="Backup", yielding=True, gates=[], counters=Counters()),
            orphaned=["vip.shop.old"],
            drops={"UnknownVRID": 4},
        ),
        NOW,
    )

    assert text.splitlines() == [
        "Node n1",
        "",
        "NAME           ADDRESS           INTERFACE  VRID  STATE              PRIORITY    SINCE  GATES     REASON",  # noqa: E501  as a terminal shows it
        "shop/web       192.0.2.100       eth0       51    Active             254         3m04s  1/1 pass",  # noqa: E501
        "shop/database  192.0.2.101 (+1)  -          7     Initialize         154 of 254  5s     0/1 pass  Waiting for eth7; nginx: HTTP 503",  # noqa: E501
        "shop/web       192.0.2.100       eth0       51    Backup (yielding)  254         3m04s  -",
        "",
        "Kept although no longer planned: vip.shop.old",
        "",
        "Packets dropped that belong to no virtual router here: UnknownVRID 4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ("2026-01-01T00:03:05Z", "0s"),
        ("2026-01-01T00:04:00Z", "0s"),
        ("2025-12-31T23:03:05Z", "1h00m"),
        ("2025-12-30T19:03:05Z", "1d05h"),
        ("", "-"),
    ],
)
def test_ages(since: str, shown: str) -> None:
    """Ages are short; a time that lies ahead is now, no time is a dash."""
    assert status_module.age(since, NOW) == shown


def test_status_without_an_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an engine the command names the socket and how to start one, and ends with 1."""
    path = tmp_path / "engine.sock"

    assert cli.main(["status", "--socket", str(path)]) == 1
    said = capsys.readouterr().err
    assert f"No engine serves {path}" in said
    assert "vip-speaker run --manifests" in said


def test_status_with_a_socket_left_behind(tmp_path: Path) -> None:
    """A socket that nobody serves any more is told from a missing one."""
    path = tmp_path / "engine.sock"
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)

    with pytest.raises(status_module.NoAnswerError, match="an earlier one left the socket"):
        status_module.fetch(str(path))


async def test_status_of_a_silent_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not answer costs a bounded wait and one sentence."""
    monkeypatch.setattr(status_module, "_TIMEOUT_SECONDS", 0.05)
    engine = FakeEngine()
    engine.silent = True
    async with serving(engine, tmp_path / "s"):
        with pytest.raises(status_module.NoAnswerError, match="did not answer within"):
            await asyncio.to_thread(status_module.fetch, str(tmp_path / "s"))


async def test_status_of_something_else(tmp_path: Path) -> None:
    """A program that speaks another language is reported as such."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\n")
        writer.close()

    async with await asyncio.start_unix_server(greet, tmp_path / "s"):
        with pytest.raises(status_module.NoAnswerError, match="gave no status"):
            await asyncio.to_thread(status_module.fetch, str(tmp_path / "s"))
