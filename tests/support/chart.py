"""The chart, rendered without a cluster, and what its roles allow."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import yaml

from support.rings import ROOT
from vip_kube.wire import Object
from vip_lab.kubernetes.helm import find_helm

# Group, resource (with its subresource) and verb.
Right = tuple[str, str, str]

CHART = ROOT / "charts" / "vip-operator"
RELEASE = "vips"
NAMESPACE = "vip-system"

# Other values than the defaults, by what they are.
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
        "podGates": {"namespaces": ["shop", "edge"]},
    },
}


def run_helm(
    *words: str, values: Mapping[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run helm on the chart to its end; values are given as a values file."""
    helm = find_helm()
    assert helm is not None, "the test that needs it was not skipped"
    return subprocess.run(
        [helm, *words, "--values=-"],
        input=yaml.safe_dump(dict(values or {})),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def render(values: Mapping[str, Any] | None = None, namespace: str = NAMESPACE) -> list[Object]:
    """Return every object that an installation with these values makes, hooks and tests too."""
    done = run_helm("template", RELEASE, str(CHART), f"--namespace={namespace}", values=values)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each is not None]


@cache
def default_objects() -> list[Object]:
    """Return what an installation with the default values makes; not to be changed."""
    return render()


def find(objects: Iterable[Object], kind: str, name: str) -> Object:
    """Return the only object of a kind and name."""
    (found,) = [
        each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    return found


def daemon_set(objects: Iterable[Object]) -> Object:
    """Return the speakers' DaemonSet that is in the ConfigMap."""
    config_map = find(objects, "ConfigMap", "vip-speaker")
    template = yaml.safe_load(config_map["data"]["daemonset.yaml"])
    assert isinstance(template, dict)
    return template


def container(workload: Object, name: str) -> Object:
    """Return a container of a DaemonSet, Deployment or Job."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    (found,) = [each for each in containers if each["name"] == name]
    assert isinstance(found, dict)
    return found


def rights_of(role: Object) -> set[Right]:
    """Return what a Role or ClusterRole allows."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
