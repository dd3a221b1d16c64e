"""The operator writes the one DaemonSet that the chart makes; a real API server refuses the rest.

The operator's account may do everything here: what is refused, the admission policy refuses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.api_server import CLUSTER_ROLE_BINDINGS, allow_everything, clean_up
from support.chart import OTHER_VALUES
from support.chart_rights import Rights, chart_rights
from vip_kube.errors import ApiError
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS, Kind
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.helm import why_no_helm
from vip_lab.kubernetes.objects import make_namespace
from vip_lab.wait import until
from vip_operator.speakers.daemonset import wanted_daemon_set

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

NAMESPACE = "operator-policy"
POLICY = "ValidatingAdmissionPolicy 'vip-operator'"
POLICIES = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)
SECONDS = 30.0
DRY_RUN = {"dryRun": "All"}

EVIL = {"name": "evil", "image": "evil", "command": ["sh"]}
EXEC = {"exec": {"command": ["sh"]}}
ROOT_VOLUME = {"name": "root", "hostPath": {"path": "/"}}

# Changes of the DaemonSet's spec: a path, what is put there, and the field that the refusal names
# if that is another one. A number is an index, and one beyond the end of a list appends.
Change = tuple[str, Any] | tuple[str, Any, str]
ENGINE, AGENT = "template.spec.containers.0", "template.spec.containers.1"
CHANGES: dict[str, Change] = {
    # what runs
    "image of the engine": (f"{ENGINE}.image", "evil"),
    "image of the agent": (f"{AGENT}.image", "evil"),
    "pull policy": (f"{AGENT}.imagePullPolicy", "Always"),
    "pull secrets": ("template.spec.imagePullSecrets", [{"name": "evil"}]),
    "command of the engine": (f"{ENGINE}.command", ["sh"]),
    "command of the agent": (f"{AGENT}.command.1", "run"),
    "no command": (f"{AGENT}.command", None),
    "args": (f"{ENGINE}.args", ["--cache-directory=/socket"]),
    "a variable": (f"{ENGINE}.env.9", {"name": "PYTHONPATH", "value": "/socket"}),
    "another variable": (f"{AGENT}.env.0", {"name": "NODE_NAME", "value": "n2"}),
    "variables from a Secret": (f"{AGENT}.envFrom", [{"secretRef": {"name": "evil"}}]),
    "working directory": (f"{ENGINE}.workingDir", "/socket"),
    "another container": ("template.spec.containers.9", EVIL, "template.spec.containers"),
    "a container instead": (f"{AGENT}.name", "evil", "template.spec.containers"),
    "init containers": ("template.spec.initContainers", [EVIL]),
    "a sidecar": ("template.spec.initContainers", [{**EVIL, "restartPolicy": "Always"}]),
    "a hook at the start": (f"{ENGINE}.lifecycle", {"postStart": EXEC}),
    "a hook at the end": (f"{AGENT}.lifecycle", {"preStop": EXEC}),
    "liveness of the engine": (f"{ENGINE}.livenessProbe", EXEC),
    "liveness of the agent": (f"{AGENT}.livenessProbe.exec.command", ["sh"]),
    "readiness": (f"{AGENT}.readinessProbe", EXEC),
    "a startup probe": (f"{AGENT}.startupProbe", EXEC),
    "a terminal": (f"{ENGINE}.stdin", True),
    "runtime class": ("template.spec.runtimeClassName", "evil"),
    # as whom, and with what
    "service account": ("template.spec.serviceAccountName", "vip-operator"),
    "a token for the engine": ("template.spec.automountServiceAccountToken", True),
    "capabilities of the engine": (f"{ENGINE}.securityContext.capabilities.add.9", "SYS_ADMIN"),
    "capabilities of the agent": (f"{AGENT}.securityContext.capabilities.add", ["NET_ADMIN"]),
    "capabilities kept": (f"{AGENT}.securityContext.capabilities.drop", None),
    "privileged engine": (
        f"{ENGINE}.securityContext",
        {"privileged": True, "runAsUser": 0, "runAsGroup": 65532},
    ),
    "privilege escalation": (f"{ENGINE}.securityContext.allowPrivilegeEscalation", None),
    "root agent": (f"{AGENT}.securityContext", {"runAsUser": 0}),
    "group of the engine": (f"{ENGINE}.securityContext.runAsGroup", 0),
    "writable image": (f"{ENGINE}.securityContext.readOnlyRootFilesystem", False),
    "seccomp": (f"{ENGINE}.securityContext.seccompProfile.type", "Unconfined"),
    "AppArmor": (f"{ENGINE}.securityContext.appArmorProfile", {"type": "Unconfined"}),
    "SELinux": (f"{ENGINE}.securityContext.seLinuxOptions", {"type": "spc_t"}),
    "groups of the pod": ("template.spec.securityContext.supplementalGroups", [0]),
    "sysctls": (
        "template.spec.securityContext.sysctls",
        [{"name": "kernel.shm_rmid_forced", "value": "1"}],
    ),
    "no context of the pod": ("template.spec.securityContext", {}),
    # the node
    "the node's processes": ("template.spec.hostPID", True),
    "the node's IPC": ("template.spec.hostIPC", True),
    "no host network": ("template.spec.hostNetwork", False),
    "shared processes": ("template.spec.shareProcessNamespace", True),
    "a port": (f"{AGENT}.ports", [{"containerPort": 22, "hostPort": 22}]),
    "names of hosts": ("template.spec.hostAliases", [{"ip": "192.0.2.1", "hostnames": ["api"]}]),
    "name servers": ("template.spec.dnsConfig", {"nameservers": ["192.0.2.1"]}),
    "devices": (f"{ENGINE}.resources.limits", {"example.com/device": "1"}),
    "device claims": ("template.spec.resourceClaims", [{"name": "a", "resourceClaimName": "a"}]),
    # volumes
    "a path of the node": ("template.spec.volumes.9", ROOT_VOLUME),
    "another path of the node": ("template.spec.volumes.1.hostPath.path", "/"),
    "another type of path": ("template.spec.volumes.1.hostPath.type", "Directory"),
    "a Secret": (
        "template.spec.volumes.9",
        {"name": "evil", "secret": {"secretName": "evil"}},
    ),
    "a Secret beside the token": (
        "template.spec.volumes.3.projected.sources.9",
        {"secret": {"name": "evil"}},
    ),
    "a token for others": (
        "template.spec.volumes.3.projected.sources.0.serviceAccountToken.audience",
        "vault",
    ),
    "the cache in the agent": (f"{AGENT}.volumeMounts.9", {"name": "cache", "mountPath": "/cache"}),
    "the cache over the program": (f"{ENGINE}.volumeMounts.2.mountPath", "/opt/vip-operator"),
    "mounts that spread": (f"{ENGINE}.volumeMounts.1.mountPropagation", "HostToContainer"),
    # where and when
    "node selector": ("template.spec.nodeSelector", {"edge": "yes"}),
    "affinity": ("template.spec.affinity", {"nodeAffinity": {}}),
    "tolerations": ("template.spec.tolerations", None),
    "scheduler": ("template.spec.schedulerName", "evil"),
    "priority": ("template.spec.priorityClassName", "system-cluster-critical"),
    "grace period": ("template.spec.terminationGracePeriodSeconds", 600),
    "memory": (f"{AGENT}.resources.limits.memory", "1Ti"),
    "no memory": (f"{ENGINE}.resources.requests", None),
    "all at once": ("updateStrategy.rollingUpdate.maxUnavailable", "100%"),
    "only when deleted": ("updateStrategy", {"type": "OnDelete"}),
    "pace": ("minReadySeconds", 600),
    # whom webhooks take orders from
    "annotations": ("template.metadata.annotations", {"sidecar.istio.io/proxyImage": "evil"}),
    "labels": ("template.metadata.labels.sidecar\\.istio\\.io/inject", "true"),
}


class Judge:
    """The API server, asked as the operator; nothing that it admits is stored.

    Args:
        plane: the API server.
        rights: the chart's accounts and policies there.
    """

    def __init__(self, plane: ControlPlane, rights: Rights) -> None:
        self._plane = plane
        self.rights = rights
        self.operator: Api = rights.api_with(rights.token("vip-operator"))

    def daemon_set(self) -> JsonObject:
        """Return what the operator makes of the chart's template."""
        return wanted_daemon_set(self._plane.api.get(CONFIG_MAPS, "vip-speaker", NAMESPACE))

    def refusal(self, daemon_set: JsonObject) -> str:
        """Return why a DaemonSet is refused, empty if it is admitted."""
        return _refusal(lambda: self.operator.create(DAEMON_SETS, daemon_set, DRY_RUN))

    def await_policy(self) -> None:
        """Wait until the policy of what was rendered last is the one that judges."""
        changed = changed_spec(self.daemon_set(), ("minReadySeconds", 1))
        until(
            "the policy to be in force",
            lambda: self.refusal(changed).endswith("this one differs in spec.minReadySeconds"),
            SECONDS,
            every=0.1,
            show=lambda: self.refusal(changed),
        )


def _refusal(write: Callable[[], object]) -> str:
    try:
        write()
    except ApiError as error:
        return f"{error.status} {error.message}"
    return ""


def changed_spec(daemon_set: JsonObject, change: Change) -> JsonObject:
    """Return a DaemonSet with one change in its spec."""
    changed = copy.deepcopy(daemon_set)
    path, value = change[0], change[1]
    *above, last = (each.replace("\0", ".") for each in path.replace("\\.", "\0").split("."))
    place: Any = changed["spec"]
    for each in above:
        place = place[int(each)] if isinstance(place, list) else place.setdefault(each, {})
    if isinstance(place, list):
        place[int(last) : int(last) + 1] = [value]
    elif value is None:
        del place[last]
    else:
        place[last] = value
    return changed


def named(change: Change) -> str:
    """Return how a refusal names the field of a change."""
    path = change[2] if len(change) > 2 else change[0]
    for index, name in enumerate(("engine", "agent")):
        path = path.replace(f"containers.{index}.", f"containers[{name}].")
    words = path.split(".")
    if path.startswith("template.spec.containers["):
        depth = 5 if words[3] == "resources" else 4
    else:
        depth = 3 if words[0] == "template" else 1
    return ".".join(["spec", *words[:depth]])


@pytest.fixture(scope="module")
def judge(api: ControlPlane) -> Iterator[Judge]:
    """The API server with the chart's accounts and policies in force, for the whole module."""
    make_namespace(api.api, NAMESPACE)
    account = f"system:serviceaccount:{NAMESPACE}:vip-operator"
    allow_everything(api.api, account)
    try:
        with chart_rights(api, NAMESPACE) as rights:
            judge = Judge(api, rights)
            judge.await_policy()
            yield judge
    finally:
        name = f"everything-for-{account.replace(':', '-')}"
        api.api.delete(CLUSTER_ROLE_BINDINGS, name)
        clean_up(api.api)


def test_what_the_chart_makes_is_admitted(judge: Judge) -> None:
    """The DaemonSet that the operator makes from the template is admitted as it is."""
    assert judge.refusal(judge.daemon_set()) == ""


@pytest.mark.parametrize("change", [pytest.param(each, id=name) for name, each in CHANGES.items()])
def test_each_change_is_refused_by_name(judge: Judge, change: Change) -> None:
    """A DaemonSet that is not the chart's in one field is refused, and the field is named."""
    refusal = judge.refusal(changed_spec(judge.daemon_set(), change))
    assert refusal.startswith("403 ")
    assert POLICY in refusal
    differing = refusal.rpartition("this one differs in ")[2].split(", ")
    assert named(change) in differing


def test_ephemeral_containers_are_refused(judge: Judge) -> None:
    """The API server takes none in a template, whoever asks."""
    change = ("template.spec.ephemeralContainers", [EVIL])
    refusal = judge.refusal(changed_spec(judge.daemon_set(), change))
    assert "ephemeralContainers" in refusal


@pytest.mark.parametrize("metadata", [{"name": "vip-speaker-2"}, {"generateName": "vip-speaker"}])
def test_another_daemon_set_is_refused(judge: Judge, metadata: JsonObject) -> None:
    """The same DaemonSet under another name is refused."""
    found = {**judge.daemon_set(), "metadata": {**metadata, "namespace": NAMESPACE}}
    words = f"the operator may write no DaemonSet but {NAMESPACE}/vip-speaker"
    assert words in judge.refusal(found)


def test_another_namespace_is_refused(judge: Judge) -> None:
    """The same DaemonSet in another namespace is refused."""
    found = judge.daemon_set()
    found["metadata"] = {"name": "vip-speaker", "namespace": "default"}
    words = f"the operator may write no DaemonSet but {NAMESPACE}/vip-speaker"
    assert words in judge.refusal(found)


def test_an_edit_is_refused_likewise(judge: Judge, api: ControlPlane) -> None:
    """What may not be created may not be made of what is there, by replacing or patching it.

    People may change it, and the operator may put it back.
    """
    operator, wanted = judge.operator, judge.daemon_set()
    operator.create(DAEMON_SETS, wanted)
    try:
        changed = changed_spec(wanted, CHANGES["the node's processes"])
        refusal = _refusal(lambda: operator.replace(DAEMON_SETS, changed))
        assert refusal.endswith("this one differs in spec.template.spec.hostPID")
        patch = {"spec": {"template": {"spec": {"hostPID": True}}}}
        address = (DAEMON_SETS, "vip-speaker", patch, NAMESPACE)
        assert POLICY in _refusal(lambda: operator.patch(*address))
        assert api.api.patch(*address)["spec"]["template"]["spec"]["hostPID"] is True
        assert "hostPID" not in str(operator.replace(DAEMON_SETS, wanted)["spec"])
    finally:
        api.api.delete(DAEMON_SETS, "vip-speaker", NAMESPACE)


@pytest.mark.usefixtures("judge")
def test_the_policies_are_well_typed(api: ControlPlane) -> None:
    """The API server finds no expression in the chart's policies that cannot be evaluated."""
    for name in ("vip-operator", "vip-speaker"):

        def status(name: str = name) -> JsonObject:
            found = api.api.get(POLICIES, name)
            status = found.get("status") or {}
            is_checked = status.get("observedGeneration") == found["metadata"]["generation"]
            return dict(status["typeChecking"]) if is_checked else {"unchecked": status}

        until(f"policy {name} to be checked", lambda: "unchecked" not in status(), SECONDS)
        assert status() == {}


ODD_VALUES: JsonObject = {
    "speaker": {
        "tolerations": [
            {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7},
            {"key": "edge", "operator": "Equal", "value": "", "effect": "NoSchedule"},
            {"key": "", "operator": "Exists"},
        ],
        "nodeSelector": {"edge": "", "zone": "1"},
        "maxUnavailable": "100%",
        "engine": {"resources": {"requests": {"cpu": 0.5, "memory": "1024Mi"}, "limits": {}}},
        "agent": {"resources": {"limits": {"cpu": 2, "memory": "1.5Gi"}, "claims": []}},
    },
}


@pytest.mark.parametrize("values", [OTHER_VALUES["everything set"], ODD_VALUES], ids=["all", "odd"])
def test_values_that_users_set_are_admitted(judge: Judge, values: JsonObject) -> None:
    """Whatever values the chart takes, its policy admits what its template says."""
    judge.rights.install({**values, "podGates": {"namespaces": []}})  # none of them is there
    try:
        judge.await_policy()
        assert judge.refusal(judge.daemon_set()) == ""
        changed = changed_spec(judge.daemon_set(), (f"{ENGINE}.image", "evil"))
        words = "this one differs in spec.template.spec.containers[engine].image"
        assert judge.refusal(changed).endswith(words)
    finally:
        judge.rights.install()
        judge.await_policy()
