"""Write what is generated: crds/ and their copies in the chart, parts of the documentation.

With --check nothing is written, and the exit status says whether anything is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from vip_model.schema.crd import definitions
from vip_model.schema.reference import PAGES, with_tables
from vip_speaker.vrrp import chart

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Generated from model/vip_model by `make crds`; do not edit.\n"
CHART_CRDS = "charts/vip-operator/charts/crds/templates"
# Helm would delete a CustomResourceDefinition with the chart, and every VirtualIP with it.
KEPT = """metadata:
  annotations:
    {{- if .Values.keep }}
    helm.sh/resource-policy: keep
    {{- end }}
    vip-operator.io/chart: {{ .Chart.Name }}
"""


def crd_text(definition: dict[str, Any]) -> str:
    """Return a CustomResourceDefinition as the file has it."""
    text: str = yaml.safe_dump(definition, sort_keys=False, width=100, allow_unicode=True)
    return HEADER + text


def chart_text(definition: dict[str, Any]) -> str:
    """Return the same as a template that the chart's value `crds.keep` governs."""
    return crd_text(definition).replace("metadata:\n", KEPT, 1)


def generated(root: Path) -> dict[Path, str]:
    """Return every generated file and what it should hold."""
    files = {
        root / "crds" / f"{name}.yaml": crd_text(definition)
        for name, definition in definitions().items()
    }
    files |= {
        root / CHART_CRDS / f"{name}.yaml": chart_text(definition)
        for name, definition in definitions().items()
    }
    for name, tables in PAGES.items():
        page = root / "docs" / name
        files[page] = with_tables(page.read_text(), tables)
    protocol = root / "docs" / "protocol.md"
    files[protocol] = with_chart(protocol.read_text())
    return files


def with_chart(page: str) -> str:
    """Return the page with the chart of the election as it is now."""
    parts = {"diagram": f"```mermaid\n{chart.mermaid()}\n```", "edges": chart.table()}
    for name, text in parts.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = f"{before}{begin}{text}{end}{after}"
    return page


def main() -> int:
    """Write every generated file that differs; with --check only say which, and return 1."""
    check = sys.argv[1:] == ["--check"]
    differing = [
        (path, text)
        for path, text in generated(ROOT).items()
        if not path.exists() or path.read_text() != text
    ]
    for path, text in differing:
        if check:
            print(f"{path.relative_to(ROOT)} is out of date: run `make crds`")
        else:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
