"""The chart without a cluster: what it renders, what it allows, and which values it refuses."""

from __future__ import annotations

import re
from functools import cache

import pytest
import yaml

from support import expected_rights
from support.chart import (
    CHART,
    NAMESPACE,
    OTHER_VALUES,
    Right,
    container,
    daemon_set,
    default_objects,
    find,
    render,
    rights_of,
    run_helm,
)
from support.rings import ROOT
from vip_kube.wire import Object
from vip_lab.kubernetes.helm import why_no_helm
from vip_model.__about__ import __version__
from vip_operator import cli
from vip_speaker import options

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

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


def namespace_of(content: Object) -> str | None:
    """Return the namespace that an object names; None if it names none."""
    found = content["metadata"].get("namespace")
    return None if found is None else str(found)


# --- what it renders -----------------------------------------------------------------------------


def test_helm_finds_nothing_to_complain_of() -> None:
    """`helm lint --strict` takes the chart as it is."""
    done = run_helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_an_object(objects: list[Object]) -> None:
    """Whatever the values, each document is an object with kind and name, none of them twice."""
    names = [
        (each["apiVersion"], each["kind"], each["metadata"]["name"], namespace_of(each))
        for each in objects
    ]
    assert len(names) == len(set(names)) > 5
    assert daemon_set(objects)["kind"] == "DaemonSet"


def test_everything_is_in_the_namespace_of_the_release(objects: list[Object]) -> None:
    """What lives in a namespace names that of the release, the DaemonSet included.

    Rights on pods elsewhere are for the namespaces that a value names.
    """
    elsewhere = [
        each["metadata"]["name"]
        for each in (*objects, daemon_set(objects))
        if not re.match(r"Cluster|Custom|Validating", each["kind"])
        and each["metadata"]["name"] != "vip-operator-pod-gates"
        and namespace_of(each) != NAMESPACE
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
    """The kubelet never kills an engine for what a probe says."""
    speakers = daemon_set(objects)
    assert not [key for key in container(speakers, "engine") if key.endswith("Probe")]


def test_an_agent_lives_whoever_has_its_port(objects: list[Object]) -> None:
    """The probe that ends an agent asks at a socket of its pod; only readiness needs the port.

    No port is declared: as one of the node it would keep the whole pod, and with it the engine,
    from a node where another pod has it, or drive that pod away.
    """
    speakers = daemon_set(objects)
    agent = container(speakers, "agent")
    program, *words = agent["livenessProbe"]["exec"]["command"]
    told = options.settings_of(options.parse(agent["command"][1:]))
    assert program == "vip-speaker"
    assert options.parse(words).command == "probe"
    assert options.parse(words).socket == told.probe_socket
    assert str(told.probe_socket).startswith("/socket/")
    assert told.probe_socket != told.socket
    assert agent["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert str(told.http).endswith(f":{agent['readinessProbe']['httpGet']['port']}")
    assert not any("ports" in each for each in speakers["spec"]["template"]["spec"]["containers"])


def test_a_hung_agent_is_ended_within_a_minute_or_two() -> None:
    """An agent that does not answer is ended; one slow answer on a busy node ends nobody."""
    found = container(daemon_set(default_objects()), "agent")["livenessProbe"]
    assert found["failureThreshold"] > 1
    slowest = found["periodSeconds"] * found["failureThreshold"] + found["timeoutSeconds"]
    assert 60 <= slowest <= 120


# --- roles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "wanted"),
    [
        ("ClusterRole", "vip-operator", expected_rights.OPERATOR_IN_CLUSTER),
        ("Role", "vip-operator", expected_rights.OPERATOR_IN_NAMESPACE),
        ("ClusterRole", "vip-speaker", expected_rights.AGENT_IN_CLUSTER),
        ("Role", "vip-speaker", expected_rights.AGENT_IN_NAMESPACE),
        ("ClusterRole", "vip-operator-cleanup", expected_rights.CLEANUP_IN_CLUSTER),
        ("Role", "vip-operator-cleanup", expected_rights.CLEANUP_IN_NAMESPACE),
    ],
)
def test_roles_allow_what_is_used(kind: str, name: str, wanted: set[Right]) -> None:
    """Each role allows what its program asks for, verb by verb, and is bound to its account."""
    objects = default_objects()
    assert rights_of(find(objects, kind, name)) == wanted
    binding = find(objects, f"{kind}Binding", name)
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": kind,
        "name": name,
    }
    account = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    assert binding["subjects"] == [account]
    assert find(objects, "ServiceAccount", name)


def test_pods_are_seen_where_a_value_says(objects: list[Object]) -> None:
    """Operator and agents may follow Pods in the namespaces of `podGates.namespaces`."""
    found = [each for each in objects if each["metadata"]["name"] == "vip-operator-pod-gates"]
    is_set = objects is other_objects("everything set")
    wanted = [
        (kind, namespace)
        for namespace in ("shop", "edge")
        for kind in ("Role", "RoleBinding")
        if is_set
    ]
    places = [(each["kind"], namespace_of(each)) for each in found]
    assert sorted(map(str, places)) == sorted(map(str, wanted))
    accounts = [
        {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
        for name in ("vip-operator", "vip-speaker")
    ]
    for each in found:
        if each["kind"] == "Role":
            assert rights_of(each) == expected_rights.POD_GATES
        else:
            assert each["subjects"] == accounts
            assert each["roleRef"]["kind"] == "Role"
            assert each["roleRef"]["name"] == "vip-operator-pod-gates"


def test_nothing_is_allowed_for_all(objects: list[Object]) -> None:
    """No rule says `*`, and none touches Secrets."""
    roles = [each for each in objects if each["kind"] in {"Role", "ClusterRole"}]
    words = {word for role in roles for right in rights_of(role) for word in right}
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
