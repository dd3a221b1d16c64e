"""Which values the chart refuses, and that each of them is explained."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from support.chart import CHART, run_helm
from vip_lab.kubernetes.helm import why_no_helm

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))


def nested(path: str, value: object) -> dict[str, Any]:
    """Return values in which one is set: a.b.c."""
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.repository", ""),
        ("image.tag", 1.2),
        ("image.pullPolicy", "Sometimes"),
        ("operator.replicas", 0),
        ("operator.replicas", "2"),
        ("operator.logLevel", "verbose"),
        ("operator.addressPolicy", "None"),
        ("operator.reservedVirtualRouterIDs", "1,256"),
        ("operator.reservedVirtualRouterIDs", "51-"),
        ("operator.loadBalancerClass", ""),
        ("operator.loadBalancerClass", "Example.com/a b"),
        ("operator.resources.requests.memory", "96 MB"),
        ("operator.nodeSelector.edge", True),
        ("operator.affinity", []),
        ("speaker.logLevel", "WARNING"),
        ("speaker.httpPort", 65536),
        ("speaker.httpPort", "9112"),
        ("speaker.maxUnavailable", 0),
        ("speaker.maxUnavailable", "0%"),
        ("speaker.stateDirectory", "run/vip-operator"),
        ("speaker.stateDirectory", "/run/../etc"),
        ("speaker.cacheDirectory", "/"),
        ("speaker.engine.resources.limits.cpu", "-1"),
        ("speaker.agent.resources.limits.cpu", 0),
        ("podGates.namespaces", "shop"),
        ("podGates.namespaces", ["shop", "shop"]),
        ("podGates.namespaces", ["Shop"]),
        ("crds.keep", "false"),
        ("crds.enabled", "yes"),
        ("rbac.create", "no"),
        ("admissionPolicy.create", 1),
    ],
)
def test_bad_values_are_refused_by_name(path: str, value: object) -> None:
    """A value that cannot be right is refused before anything is installed, and named."""
    done = run_helm("template", "vips", str(CHART), values=nested(path, value))
    assert done.returncode != 0
    assert re.search(rf"^- {re.escape(path)}(\.\d+)?: ", done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (
            "operator.reservedVirtualRouterIDs",
            "60-51",
            "operator.reservedVirtualRouterIDs: the range 60-51 ends before it begins",
        ),
        (
            "operator.reservedVirtualRouterIDs",
            "1,7-7,200-99",
            "operator.reservedVirtualRouterIDs: the range 200-99 ends before it begins",
        ),
        (
            "speaker.stateDirectory",
            "/var/lib/vip-operator",
            "speaker.stateDirectory and speaker.cacheDirectory are both /var/lib/vip-operator;",
        ),
        *(
            (f"speaker.{name}", path, f"speaker.{name}: {path} is where engine and agent of a pod")
            for name in ("stateDirectory", "cacheDirectory")
            for path in ("/socket", "/socket/state")
        ),
        *(
            (f"speaker.{name}", path, f"speaker.{name}: {path} would hide the program")
            for name, path in (
                ("cacheDirectory", "/opt/vip-operator"),
                ("cacheDirectory", "/opt/vip-operator/lib"),
                ("stateDirectory", "/opt"),
                ("cacheDirectory", "/usr/local/lib"),
                ("cacheDirectory", "/lib64"),
                ("cacheDirectory", "/etc"),
                ("stateDirectory", "/proc/vip"),
            )
        ),
    ],
)
def test_values_that_no_schema_can_refuse(path: str, value: str, complaint: str) -> None:
    """Ranges that end before they begin, and directories in each other's way, are refused too."""
    done = run_helm("template", "vips", str(CHART), values=nested(path, value))
    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("operator.reservedVirtualRouterIDs", ""),
        ("operator.reservedVirtualRouterIDs", "1,9-10,51-60,255"),
        ("speaker.cacheDirectory", "/opt/vip-operator-cache"),
        ("speaker.cacheDirectory", "/etc/vip-operator"),
        ("speaker.stateDirectory", "/sockets"),
        ("speaker.stateDirectory", "/var/lib/vip-operator/state"),
    ],
)
def test_values_beside_those_are_taken(path: str, value: str) -> None:
    """What is next to a value that is refused, and harmless, is taken."""
    done = run_helm("template", "vips", str(CHART), values=nested(path, value))
    assert done.returncode == 0, done.stderr
    assert value in done.stdout


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("operator.replica", "- operator: Additional property replica is not allowed"),
        ("speakers.httpPort", "- (root): Additional property speakers is not allowed"),
        ("crd.keep", "- (root): Additional property crd is not allowed"),
    ],
)
def test_unknown_values_are_refused(path: str, complaint: str) -> None:
    """A value that is misspelt is refused instead of ignored."""
    done = run_helm("template", "vips", str(CHART), values=nested(path, 1))
    assert done.returncode != 0
    assert complaint in done.stderr


def leaves(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return every value by its path; lists and free-form objects count as one."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{above}{name}"
        is_free = not value or name in {"resources", "nodeSelector", "affinity"}
        if isinstance(value, dict) and not is_free:
            found |= leaves(value, f"{path}.")
        else:
            found[path] = value
    return found


def test_every_value_is_documented() -> None:
    """The chart's README explains each value of values.yaml with its default, and no others."""
    defaults = leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    rows = re.findall(
        r"^\| `([\w.]+)` \| (.*?) \| .+ \|$", (CHART / "README.md").read_text(), re.MULTILINE
    )
    shown = {path: yaml.safe_load(text.strip("`")) for path, text in rows}
    assert shown == defaults
    assert len(rows) == len(shown)


def test_every_object_has_a_schema() -> None:
    """Wherever values.yaml has a value, one that is misspelt beside it is refused."""
    paths = leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    above = {path.rpartition(".")[0] for path in paths} - {""}
    values = {"misspelt": 1}
    for each in sorted(above):
        _merge(values, nested(f"{each}.misspelt", 1))
    done = run_helm("template", "vips", str(CHART), values=values)
    refused = re.findall(r"^- (\S+): Additional property misspelt", done.stderr, re.MULTILINE)
    assert {each.strip("()") for each in refused} == above | {"root"}


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value
