"""What the demo must know of examples/kubernetes to say what to expect; it applies these files."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from vip_lab.kubernetes.binaries import ROOT

WEB = ROOT / "examples/kubernetes/web.yaml"
SERVICE = ROOT / "examples/kubernetes/service.yaml"
CHART = ROOT / "charts/vip-operator"


@dataclass(frozen=True, slots=True)
class Example:
    """Figures and names from the two files.

    Attributes:
        name: of Deployment, Service and VirtualIP.
        namespace: of all three.
        address: that the client probes.
        period_ms: of the pods' readiness probe, which fails at its first failure.
    """

    name: str
    namespace: str
    address: str
    period_ms: int

    @classmethod
    def read(cls) -> Example:
        """Read them from the files that users are shown."""
        deployment = yaml.safe_load(WEB.read_text())
        objects = {one["kind"]: one for one in yaml.safe_load_all(SERVICE.read_text())}
        virtual_ip = objects["VirtualIP"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        probe = container["readinessProbe"]
        assert probe["failureThreshold"] == 1
        return cls(
            name=virtual_ip["metadata"]["name"],
            namespace=virtual_ip["metadata"]["namespace"],
            address=virtual_ip["spec"]["addresses"][0],
            period_ms=1000 * probe["periodSeconds"],
        )

    @property
    def router(self) -> str:
        """Name of the virtual router in the speakers' status."""
        return f"{self.namespace}/{self.name}"
