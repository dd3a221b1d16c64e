"""Show the fragments of changelog.d as one section, or write it into CHANGELOG.md as a release.

python hack/changelog.py             print what the next release would say
python hack/changelog.py VERSION     write it under that version and remove the fragments
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("added", "changed", "fixed", "removed")
MARKER = "<!-- releases -->\n"


def fragments(folder: Path) -> dict[str, list[Path]]:
    """Return the fragment files by kind, in the order of their names.

    Raises ValueError for a file whose name is not NAME.KIND.md.
    """
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*")):
        if path.name == "README.md":
            continue
        parts = path.name.split(".")
        if len(parts) != 3 or parts[1] not in KINDS or parts[2] != "md":
            message = f"{path}: a fragment is called NAME.KIND.md, KIND one of {', '.join(KINDS)}"
            raise ValueError(message)
        found[parts[1]].append(path)
    return found


def section(by_kind: dict[str, list[Path]]) -> str:
    """Return the fragments as Markdown, one list per kind."""
    blocks = []
    for kind, paths in by_kind.items():
        if paths:
            items = "\n".join(_item(path.read_text().strip()) for path in paths)
            blocks.append(f"### {kind.capitalize()}\n\n{items}\n")
    return "\n".join(blocks)


def release(changelog: str, version: str, day: dt.date, body: str) -> str:
    """Return the changelog with a new section on top. Raises ValueError if it has no marker."""
    if MARKER not in changelog:
        message = f"CHANGELOG.md: the line {MARKER.strip()!r} is missing; releases go below it"
        raise ValueError(message)
    if f"## {version} " in changelog:
        message = f"CHANGELOG.md: version {version} is there already"
        raise ValueError(message)
    return changelog.replace(MARKER, f"{MARKER}\n## {version} ({day.isoformat()})\n\n{body}", 1)


def _item(text: str) -> str:
    return "- " + text.replace("\n", "\n  ")


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    by_kind = fragments(ROOT / "changelog.d")
    body = section(by_kind)
    if not body:
        print("No fragments in changelog.d: nothing to release.")
        return 0
    if not arguments:
        print(body, end="")
        return 0
    path = ROOT / "CHANGELOG.md"
    today = dt.datetime.now(tz=dt.UTC).date()
    path.write_text(release(path.read_text(), arguments[0], today, body))
    for written in (each for paths in by_kind.values() for each in paths):
        written.unlink()
    print(f"CHANGELOG.md: {arguments[0]} written, fragments removed.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"changelog: {error}")
