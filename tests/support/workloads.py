"""Pods and Services for tests on a real cluster, all of the image that its nodes hold."""

from __future__ import annotations

from typing import Any

from vip_lab.cluster.images import project_name
from vip_lab.kubernetes.api import JsonObject

WEB_PORT = 8000

# The page is the host's name; ready while /tmp/ready exists. http.server's own queue of five
# connections drops most of what a client sends that connects 200 times a second.
_WEB_SERVER = f"""
import http.server, os, pathlib, socket
os.makedirs("/tmp/page", exist_ok=True)
os.chdir("/tmp/page")
pathlib.Path("index.html").write_text(socket.gethostname() + "\\n")
pathlib.Path("/tmp/ready").touch()
server = http.server.ThreadingHTTPServer
server.request_queue_size = 1024
server.handle_error = lambda *_: None
server(("", {WEB_PORT}), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def container(name: str, *command: str, **more: Any) -> JsonObject:
    """Return a container that runs a command of the project's image."""
    return {
        "name": name,
        "image": project_name(),
        "imagePullPolicy": "Never",
        "command": list(command),
        **more,
    }


def web_server(**more: Any) -> JsonObject:
    """Return a container that serves the name of its host, and is ready while it has /tmp/ready."""
    probe = {
        "exec": {"command": ["test", "-e", "/tmp/ready"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    return container("web", "python3", "-c", _WEB_SERVER, readinessProbe=probe, **more)


def web_deployment(name: str, namespace: str, drain_seconds: int = 0) -> JsonObject:
    """Return a Deployment of three web servers, one on each node.

    Args:
        name: its name.
        namespace: where it is.
        drain_seconds: how long a server goes on after it was told to end.
    """
    labels = {"app": name}
    stop = {"exec": {"command": ["sleep", str(drain_seconds)]}}
    drain = {"lifecycle": {"preStop": stop}} if drain_seconds else {}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": labels},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": drain_seconds and drain_seconds + 1,
                    "topologySpreadConstraints": [spread],
                    "containers": [web_server(**drain)],
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
