"""Pods and Services for tests on a real cluster, all of the image that its nodes hold."""

from __future__ import annotations

from typing import Any

from vip_lab.cluster.images import project_name
from vip_lab.kubernetes.api import JsonObject

WEB_PORT = 8000


def container(name: str, *command: str, **more: Any) -> JsonObject:
    """Return a container that runs a command of the project's image."""
    return {
        "name": name,
        "image": project_name(),
        "imagePullPolicy": "Never",
        "command": list(command),
        **more,
    }


def web_deployment(name: str, namespace: str, replicas: int = 3) -> JsonObject:
    """Return a Deployment of web servers, one per node where there is room, with readiness.

    A pod is ready while its file /tmp/ready exists; its page is its own name.
    """
    script = (
        'mkdir /tmp/page && echo "$HOSTNAME" >/tmp/page/index.html && touch /tmp/ready &&'
        f" exec python -m http.server --directory /tmp/page {WEB_PORT}"
    )
    probe = {
        "exec": {"command": ["test", "-e", "/tmp/ready"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    labels = {"app": name}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "topologySpreadConstraints": [spread],
                    "containers": [container("web", "sh", "-c", script, readinessProbe=probe)],
                },
            },
        },
    }


def web_service(name: str, namespace: str, **spec: Any) -> JsonObject:
    """Return a Service in front of a Deployment of the same name, at port 80."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": WEB_PORT}],
            **spec,
        },
    }


def pod(name: str, namespace: str, *containers: JsonObject, **spec: Any) -> JsonObject:
    """Return a Pod that is not started again when it ends."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": list(containers),
            **spec,
        },
    }
