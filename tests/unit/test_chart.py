"""The chart without a cluster: what it renders, what it allows, and which values it refuses."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import yaml

from support import grants as granted
from support.chart import (
    CHART,
    NAMESPACE,
    Grant,
    container,
    daemon_set,
    default_objects,
    find,
    grants,
    render,
    run_helm,
)
from support.rings import ROOT
from vip_kube.wire import Object
from vip_lab.kubernetes.helm import why_no_helm
from vip_model.__about__ import __version__
from vip_operator import cli
from vip_speaker import options

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

OTHER_VALUES: dict[str, dict[str, Any]] = {
    "one operator": {"operator": {"replicas": 1, "affinity": {"nodeAffinity": {}}}},
    "without extras": {
        "rbac": {"create": False},
        "admissionPolicy": {"create": False},
        "crds": {"enabled": False},
    },
    "CRDs that go": {"crds": {"keep": False}},
    "everything set": {
        "image": {"repository": "registry.example/vip", "tag": "1.2.3", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "pull"}],
        "operator": {
            "replicas": 3,
            "logLevel": "debug",
            "addressPolicy": "PoolsOnly",
            "reservedVirtualRouterIDs": "1,51-60",
            "loadBalancerClass": "example.com/lan",
            "priorityClassName": "",
            "nodeSelector": {"zone": "a"},
            "tolerations": [],
            "resources": {"limits": {"cpu": 1}},
        },
        "speaker": {
            "logLevel": "warning",
            "httpPort": 19112,
            "priorityClassName": "",
            "nodeSelector": {"edge": "yes"},
            "tolerations": [{"key": "edge", "operator": "Equal", "value": "yes"}],
            "maxUnavailable": "10%",
            "stateDirectory": "/run/vips",
            "cacheDirectory": "/srv/vips.d",
            "engine": {"resources": {"limits": {"memory": "64Mi"}}},
            "agent": {"resources": {}},
        },
    },
}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@cache
def other_objects(name: str) -> list[Object]:
    """Return what an installation with other values makes; not to be changed."""
    return render(OTHER_VALUES[name])


@pytest.fixture(params=["default", *OTHER_VALUES])
def objects(request: pytest.FixtureRequest) -> list[Object]:
    """Every object of an installation, for several sets of values."""
    return default_objects() if request.param == "default" else other_objects(request.param)


# --- what it renders -----------------------------------------------------------------------------


def test_helm_finds_nothing_to_complain_of() -> None:
    """`helm lint --strict` takes the chart as it is."""
    done = run_helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_an_object(objects: list[Object]) -> None:
    """Whatever the values, each document is an object with kind and name, none of them twice."""
    names = [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names)) > 5
    assert daemon_set(objects)["kind"] == "DaemonSet"


def test_everything_is_in_the_namespace_of_the_release(objects: list[Object]) -> None:
    """What lives in a namespace names that of the release, the DaemonSet included."""
    elsewhere = [
        each["metadata"]["name"]
        for each in (*objects, daemon_set(objects))
        if not re.match(r"Cluster|Custom|Validating", each["kind"])
        and each["metadata"].get("namespace") != NAMESPACE
    ]
    assert elsewhere == []


def test_selectors_match_their_pods() -> None:
    """Every selector selects the pods of its own workload and no others."""
    objects = default_objects()
    workloads = {
        "operator": find(objects, "Deployment", "vip-operator")["spec"],
        "speaker": daemon_set(objects)["spec"],
        "cleanup": find(objects, "Job", "vip-operator-cleanup")["spec"],
    }
    labels = {name: spec["template"]["metadata"]["labels"] for name, spec in workloads.items()}
    selectors = {
        "operator": workloads["operator"]["selector"]["matchLabels"],
        "speaker": workloads["speaker"]["selector"]["matchLabels"],
        "service": find(objects, "Service", "vip-operator-metrics")["spec"]["selector"],
        "budget": find(objects, "PodDisruptionBudget", "vip-operator")["spec"]["selector"][
            "matchLabels"
        ],
    }
    found = {
        name: [each for each, has in labels.items() if selector.items() <= has.items()]
        for name, selector in selectors.items()
    }
    assert found == {
        "operator": ["operator"],
        "speaker": ["speaker"],
        "service": ["operator"],
        "budget": ["operator"],
    }


def test_the_version_is_the_program_s() -> None:
    """The chart is of the version of the program, whose image it installs unless told otherwise."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    image = container(daemon_set(default_objects()), "engine")["image"]
    assert image == f"vip-operator:{__version__}"


@pytest.mark.parametrize("keep", [True, False])
def test_crds_are_those_of_the_repository(keep: bool) -> None:
    """The CRDs are those of crds/; unless told otherwise, uninstalling keeps them."""
    found = [
        each
        for each in render({"crds": {"keep": keep}})
        if each["kind"] == "CustomResourceDefinition"
    ]
    annotations = [each["metadata"].pop("annotations") for each in found]
    kept = {"helm.sh/resource-policy": "keep"} if keep else {}
    assert annotations == [{**kept, "vip-operator.io/chart": "crds"}] * 4
    wanted = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    assert sorted(found, key=lambda each: str(each["metadata"]["name"])) == sorted(
        wanted, key=lambda each: str(each["metadata"]["name"])
    )


def test_a_change_of_anything_but_the_speakers_leaves_them_alone() -> None:
    """The template of the DaemonSet is the same after changes that are no business of speakers."""
    text = find(default_objects(), "ConfigMap", "vip-speaker")["data"]["daemonset.yaml"]
    values = {"operator": {"replicas": 3, "logLevel": "debug"}, "rbac": {"create": False}}
    assert find(render(values), "ConfigMap", "vip-speaker")["data"]["daemonset.yaml"] == text
    assert "helm.sh/chart" not in text


# --- commands ------------------------------------------------------------------------------------


def commands(objects: list[Object]) -> dict[str, list[str]]:
    """Return the command of every container of ours but the test's."""
    speakers = daemon_set(objects)
    return {
        "operator": container(find(objects, "Deployment", "vip-operator"), "operator")["command"],
        "cleanup": container(find(objects, "Job", "vip-operator-cleanup"), "cleanup")["command"],
        "engine": container(speakers, "engine")["command"],
        "agent": container(speakers, "agent")["command"],
    }


def test_programs_take_their_options(objects: list[Object]) -> None:
    """Every rendered command line is one that its program takes."""
    found = commands(objects)
    for name in ("operator", "cleanup"):
        program, *words = found[name]
        assert program == "vip-operator"
        cli.parse(words)
    for name, address in (("engine", "192.0.2.1"), ("agent", "2001:db8::1")):
        program, *words = found[name]
        assert program == "vip-speaker"
        expanded = [
            word.replace("$(NODE_NAME)", "n1").replace("$(HOST_IP)", address) for word in words
        ]
        assert not any("$(" in word for word in expanded)
        assert options.settings_of(options.parse(expanded)).node == "n1"


def test_values_reach_the_programs() -> None:
    """What is set in the values is what the programs are told."""
    found = commands(other_objects("everything set"))
    operator = cli.parse(found["operator"][1:])
    assert operator.address_policy == "PoolsOnly"
    assert operator.reserved_virtual_router_ids == {1, *range(51, 61)}
    assert operator.load_balancer_class == "example.com/lan"
    assert operator.speaker_template == "vip-speaker"
    assert operator.log_level == "debug"
    assert cli.parse(found["cleanup"][1:]).load_balancer_class == "example.com/lan"
    engine = options.settings_of(options.parse(found["engine"][1:]))
    assert (engine.state_directory, engine.cache_directory) == ("/run/vips", "/srv/vips.d")
    agent = options.settings_of(options.parse(found["agent"][1:]))
    assert agent.socket == engine.socket
    assert agent.cluster
    assert agent.http == "$(HOST_IP):19112"


def test_variables_are_set_where_they_are_used(objects: list[Object]) -> None:
    """Every variable of a command line is in the environment of its container."""
    speakers = daemon_set(objects)
    for name in ("engine", "agent"):
        found = container(speakers, name)
        used = set(re.findall(r"\$\((\w+)\)", " ".join(found["command"])))
        assert used <= {each["name"] for each in found["env"]}


# --- what its pods may do ------------------------------------------------------------------------


def test_only_the_engine_has_capabilities(objects: list[Object]) -> None:
    """The engine is root with two capabilities; everybody else is nobody with none."""
    speakers = daemon_set(objects)
    engine = container(speakers, "engine")["securityContext"]
    assert engine == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsUser": 0,
        "runAsGroup": 65532,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    others = [
        container(speakers, "agent"),
        container(find(objects, "Deployment", "vip-operator"), "operator"),
        container(find(objects, "Job", "vip-operator-cleanup"), "cleanup"),
        *find(objects, "Pod", "vip-operator-test")["spec"]["containers"],
    ]
    assert [each["securityContext"] for each in others] == [RESTRICTED] * 4


def test_only_the_agent_has_a_token(objects: list[Object]) -> None:
    """In a speaker's pod the token is a volume that the agent mounts and the engine does not."""
    pod = daemon_set(objects)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    (token,) = [each for each in pod["volumes"] if "projected" in each]
    mounts = {each["name"]: each["volumeMounts"] for each in pod["containers"]}
    assert [each["name"] for each in mounts["engine"]] == ["socket", "state", "cache"]
    assert [each["name"] for each in mounts["agent"]] == ["socket", token["name"]]
    # What vip_kube.access looks for.
    assert projected_paths(token) == {"ca.crt", "namespace", "token"}


def projected_paths(volume: Object) -> set[str]:
    """Return the names of the files of a projected volume."""
    found = set()
    for source in volume["projected"]["sources"]:
        for part in source.values():
            found |= {each["path"] for each in part.get("items", [part])}
    return found


def test_the_engine_s_files_are_the_node_s(objects: list[Object]) -> None:
    """State and cache are directories of the node; the socket is the pod's and both reach it."""
    pod = daemon_set(objects)["spec"]["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    engine = options.settings_of(
        options.parse(container(daemon_set(objects), "engine")["command"][1:])
    )
    assert volumes["state"]["hostPath"]["path"] == engine.state_directory
    assert volumes["cache"]["hostPath"]["path"] == engine.cache_directory
    assert volumes["socket"]["emptyDir"]["medium"] == "Memory"
    assert engine.socket.startswith("/socket/")
    assert pod["securityContext"]["fsGroup"] == 65532
    assert pod["hostNetwork"] is True
    assert pod["terminationGracePeriodSeconds"] == 10


def test_no_probe_touches_the_engine(objects: list[Object]) -> None:
    """The kubelet never kills an engine for what a probe says; the agent's are its own pages."""
    speakers = daemon_set(objects)
    assert not [key for key in container(speakers, "engine") if key.endswith("Probe")]
    agent = container(speakers, "agent")
    assert agent["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert agent["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert agent["command"][-1].endswith(f":{agent['livenessProbe']['httpGet']['port']}")


# --- roles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "wanted"),
    [
        ("ClusterRole", "vip-operator", granted.OPERATOR_IN_CLUSTER),
        ("Role", "vip-operator", granted.OPERATOR_IN_NAMESPACE),
        ("ClusterRole", "vip-speaker", granted.AGENT_IN_CLUSTER),
        ("Role", "vip-speaker", granted.AGENT_IN_NAMESPACE),
        ("ClusterRole", "vip-operator-cleanup", granted.CLEANUP_IN_CLUSTER),
        ("Role", "vip-operator-cleanup", granted.CLEANUP_IN_NAMESPACE),
    ],
)
def test_roles_allow_what_is_used(kind: str, name: str, wanted: set[Grant]) -> None:
    """Each role allows what its program asks for, verb by verb, and is bound to its account."""
    objects = default_objects()
    assert grants(find(objects, kind, name)) == wanted
    binding = find(objects, f"{kind}Binding", name)
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": kind,
        "name": name,
    }
    account = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    assert binding["subjects"] == [account]
    assert find(objects, "ServiceAccount", name)


def test_nothing_is_allowed_for_all(objects: list[Object]) -> None:
    """No rule says `*`, and none touches Secrets."""
    roles = [each for each in objects if each["kind"] in {"Role", "ClusterRole"}]
    words = {word for role in roles for grant in grants(role) for word in grant}
    assert not words & {"*", "secrets"}


def test_rights_over_single_objects_name_them() -> None:
    """What has a fixed name is allowed by that name only."""
    objects = default_objects()
    roles = [each for each in objects if each["kind"] in {"Role", "ClusterRole"}]
    named = {
        (role["metadata"]["name"], resource): rule["resourceNames"]
        for role in roles
        for rule in role["rules"]
        if "resourceNames" in rule
        for resource in rule["resources"]
    }
    assert named == {
        ("vip-operator", "customresourcedefinitions"): ["virtualips.vip-operator.io"],
        ("vip-operator", "configmaps"): ["vip-speaker"],
        ("vip-operator-cleanup", "deployments/scale"): ["vip-operator"],
        ("vip-operator-cleanup", "daemonsets"): ["vip-speaker"],
    }


def test_hooks_come_before_everything_goes() -> None:
    """The cleanup Job and what it needs are pre-delete hooks, the Job after its rights."""
    hooks = [
        each
        for each in default_objects()
        if each["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-delete"
    ]
    weights = {
        each["kind"]: int(each["metadata"]["annotations"].get("helm.sh/hook-weight", "0"))
        for each in hooks
    }
    assert weights.pop("Job") > max(weights.values())
    assert sorted(weights) == [
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "ServiceAccount",
    ]
    job = find(hooks, "Job", "vip-operator-cleanup")["spec"]
    timeout = cli.parse(commands(default_objects())["cleanup"][1:]).timeout
    assert job["activeDeadlineSeconds"] > timeout


# --- values --------------------------------------------------------------------------------------


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
    assert f"- {path}: " in done.stderr


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
