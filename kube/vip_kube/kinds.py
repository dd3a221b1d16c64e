"""The kinds of objects that operator and agent touch, and where the API serves them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    Attributes:
        group: API group; empty for the core group.
        version: version of the group.
        plural: name in paths.
        name: the kind itself, such as Pod.
        namespaced: its objects live in namespaces.
        bookmarks: a watch of it is told about every minute that nothing has happened.
    """

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool
    bookmarks: bool = True

    @property
    def api_version(self) -> str:
        """As objects spell it: v1, apps/v1."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base_path(self) -> str:
        """Path of the group's version: /api/v1, /apis/GROUP/VERSION."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Return the path of one object, of all of a namespace, or of all there are."""
        parts = [self.base_path]
        if namespace is not None:
            assert self.namespaced, f"{self.name} has no namespace"
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


NODES = Kind("", "v1", "nodes", "Node", namespaced=False)
PODS = Kind("", "v1", "pods", "Pod", namespaced=True)
SERVICES = Kind("", "v1", "services", "Service", namespaced=True)
ENDPOINT_SLICES = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", namespaced=True)
LEASES = Kind("coordination.k8s.io", "v1", "leases", "Lease", namespaced=True)
# The API server keeps no cache of Events, from which bookmarks come.
EVENTS = Kind("events.k8s.io", "v1", "events", "Event", namespaced=True, bookmarks=False)
CONFIG_MAPS = Kind("", "v1", "configmaps", "ConfigMap", namespaced=True)
DAEMON_SETS = Kind("apps", "v1", "daemonsets", "DaemonSet", namespaced=True)
DEPLOYMENTS = Kind("apps", "v1", "deployments", "Deployment", namespaced=True)
