"""The words and settings of cluster mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from vip_speaker import options
from vip_speaker.agent.main import NoSourceError, source_of
from vip_speaker.settings import SETTINGS_VARIABLE, Settings, SettingsError, default_node


@pytest.fixture(autouse=True)
def no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are not in a pod."""
    for name in ("NODE_NAME", "POD_NAMESPACE", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def settings(*words: str) -> Settings:
    """Return the settings that a command line amounts to."""
    return options.settings_of(options.parse(list(words)))


@pytest.mark.parametrize("command", ["run", "agent"])
def test_cluster_mode(command: str) -> None:
    """Both commands that start an agent can follow a cluster."""
    found = settings(
        command, "--cluster", "--kubeconfig", "k.conf", "--namespace", "vips", "--node", "n1"
    )

    assert (found.cluster, found.manifests) == (True, None)
    assert (found.kubeconfig, found.namespace) == (str(Path.cwd() / "k.conf"), "vips")
    assert found.with_agent is (command == "run")


def test_in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's manifest says which node and namespace it is in."""
    monkeypatch.setenv("NODE_NAME", "worker-3")
    monkeypatch.setenv("POD_NAMESPACE", "vip-system")
    found = settings("agent", "--cluster")

    assert (found.node, found.namespace, found.kubeconfig) == ("worker-3", "vip-system", None)
    assert settings("agent", "--cluster", "--node", "n1").node == "n1"
    assert settings("agent", "--manifests", "m").namespace is None
    assert default_node({"NODE_NAME": ""}) == default_node({})


def test_settings_travel() -> None:
    """What the command line says reaches the processes."""
    found = settings("run", "--cluster", "--kubeconfig", "/k", "--namespace", "vips")

    assert Settings.from_environment(found.to_environment()) == found


def test_a_flag_must_be_one() -> None:
    """Settings that somebody wrote by hand are checked."""
    written = {SETTINGS_VARIABLE: '{"node": "n1", "cluster": "yes"}'}
    with pytest.raises(SettingsError, match="cluster is 'yes', not a bool"):
        Settings.from_environment(written)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run",), "required: --manifests FILE_OR_DIR, or --cluster"),
        (("run", "--cluster", "--manifests", "m"), "exclude each other: choose one"),
        (("run", "--manifests", "m", "--kubeconfig", "k"), "only with --cluster"),
        (("agent", "--manifests", "m", "--namespace", "k"), "only with --cluster"),
        (("engine", "--cluster"), "unrecognized arguments"),
    ],
)
def test_wrong_usage(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is exactly one place to take orders from, and the message says which there are."""
    with pytest.raises(SystemExit) as ended:
        options.parse(list(words))

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_kubeconfig_that_is_missing(tmp_path: Path) -> None:
    """The agent says at its start that it cannot reach a cluster, and names the file."""
    missing = tmp_path / "kubeconfig"
    with pytest.raises(ValueError, match=str(missing)):
        source_of(Settings(node="n1", cluster=True, kubeconfig=str(missing)))


def test_nothing_to_follow() -> None:
    """Settings without a source are refused with the way out."""
    with pytest.raises(NoSourceError, match="give it --manifests FILE_OR_DIR or --cluster"):
        source_of(Settings(node="n1"))
