"""A kind of gate that nobody knows yet is added: its fields in the model, and one module."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.manifests import virtual_ip
from support.rings import ROOT

_TYPE = '''
class WeatherCondition(Part, frozen=True, kw_only=True):
    """The weather at a host."""

    host: Annotated[str, described(_HOST_TEXT, _HOST)] = LOCALHOST
    sky: Annotated[str, described("How the sky is to be.")]


class Gate(Part,'''
_FIELD = """
    weather: Annotated[
        WeatherCondition | None, _kind("The weather is fine."{mark})
    ] = None

    @property
    def hosts("""
_MODULE = '''"""The gate `weather`."""

from vip_model.vocabulary import GateState
from vip_speaker.gates.constant import ConstantGate
from vip_speaker.messages import Verdict

KIND = "weather"


def create(gate, on_change, site):
    return ConstantGate(Verdict(state=GateState.PASSING, reason=f"it is {gate.weather.sky}"))
'''
# What a user, an operator and a speaker see of it.
_LOOK = """
import json
import sys

import msgspec

from vip_model.resources.gate import Gate
from vip_model.resources.virtual_ip import VirtualIPSpec
from vip_model.schema import crd_rules
from vip_model.schema.crd import definitions
from vip_model.schema.reference import table
from vip_operator import cli as operator
from vip_speaker import cli as speaker
from vip_speaker.gates import registry

file = sys.argv[1]
content = json.loads(sys.argv[2])
gate = msgspec.convert({"name": "fine", "weather": content}, Gate)
found = {
    "plan": operator.main(["plan", "-f", file]),
    "check": speaker.main(["check", "--manifests", file, "--node", "n1", "--offline"]),
    "hosts": gate.hosts,
    "host rule": "spec.gates[].weather.host" in crd_rules.VIRTUAL_IP,
    "CRDs": sum("'weather'" in str(each) for each in definitions().values()),
    "reference": [line for line in table(VirtualIPSpec).splitlines()
                  if line.startswith("| `spec.gates[].weather` ")],
    "runs": "weather" in registry.kinds(),
}
if found["runs"]:
    found["verdict"] = registry.create(gate, lambda: None).verdict.reason
print(json.dumps(found))
"""
_CONTENT = {"host": "192.0.2.7", "sky": "blue"}


class Tree:
    """A copy of model and speaker, into which a kind is put."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for part in ("model/vip_model", "speaker/vip_speaker"):
            shutil.copytree(
                ROOT / part,
                directory / Path(part).name,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        self._manifest = directory / "vip.yaml"
        self._manifest.write_text(virtual_ip(gates=[{"name": "fine", "weather": _CONTENT}]))

    def describe(self, mark: str = "") -> None:
        """Put the type and the field into the model."""
        file = self._directory / "vip_model/resources/gate.py"
        text = file.read_text()
        for place, new in (
            ("\nclass Gate(Part,", _TYPE),
            ("\n    @property\n    def hosts(", _FIELD.format(mark=mark)),
        ):
            assert text.count(place) == 1
            text = text.replace(place, new)
        file.write_text(text)

    def build(self) -> None:
        """Put the module into the gates."""
        (self._directory / "vip_speaker/gates/weather.py").write_text(_MODULE)

    def look(self) -> tuple[dict[str, object], str]:
        """Return what is seen of the kind, and what the commands print."""
        done = subprocess.run(
            [sys.executable, "-c", _LOOK, str(self._manifest), json.dumps(_CONTENT)],
            env={**os.environ, "PYTHONPATH": str(self._directory)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The tree as it is."""
    return Tree(tmp_path)


def test_a_kind_is_added_by_its_fields_and_its_module(tree: Tree) -> None:
    """Plan, check, CRD, reference and what a speaker reports follow from these two."""
    tree.describe()
    tree.build()

    seen, _printed = tree.look()

    assert seen == {
        "plan": 0,
        "check": 0,
        "hosts": [["weather.host", "192.0.2.7"]],
        "host rule": True,
        "CRDs": 2,
        "reference": ["| `spec.gates[].weather` | object | - | The weather is fine. |"],
        "runs": True,
        "verdict": "it is blue",
    }


def test_a_kind_that_is_only_described_is_refused_by_name(tree: Tree) -> None:
    """Marked as not built, it is in the reference as such, and plan and check refuse it."""
    tree.describe(mark=", built=False")

    seen, printed = tree.look()

    assert (seen["plan"], seen["check"], seen["runs"]) == (1, 1, False)
    assert "Not built yet: refused" in str(seen["reference"])
    assert "weather: this kind of gate is not built yet" in printed
