"""The changelog is made of fragments: hack/changelog.py."""

from __future__ import annotations

import datetime as dt
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from support.rings import ROOT


@pytest.fixture(scope="module")
def changelog() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("changelog", ROOT / "hack/changelog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fragments_become_one_section(tmp_path: Path, changelog: ModuleType) -> None:
    """Fragments are grouped by kind in a fixed order, and a second line belongs to its item."""
    (tmp_path / "README.md").write_text("not a fragment")
    (tmp_path / "b.fixed.md").write_text("It no longer hums.\n")
    (tmp_path / "z.added.md").write_text("It sings.\nLoudly.\n")
    (tmp_path / "a.added.md").write_text("It dances.\n")
    section = changelog.section(changelog.fragments(tmp_path))
    assert section == (
        "### Added\n\n- It dances.\n- It sings.\n  Loudly.\n\n### Fixed\n\n- It no longer hums.\n"
    )


def test_a_fragment_of_no_known_kind_is_refused(tmp_path: Path, changelog: ModuleType) -> None:
    """A file that no section would hold is named, together with the kinds there are."""
    (tmp_path / "a.improved.md").write_text("Better.")
    with pytest.raises(ValueError, match=r"a\.improved\.md: .* added, changed, fixed, removed"):
        changelog.fragments(tmp_path)


def test_a_release_goes_on_top(changelog: ModuleType) -> None:
    """A new release stands above the one before it, with its version and date."""
    before = "# Changelog\n\n<!-- releases -->\n\n## 0.1.0 (2026-01-02)\n\n- Old.\n"
    after = changelog.release(before, "0.2.0", dt.date(2026, 3, 4), "- New.\n")
    assert after == (
        "# Changelog\n\n<!-- releases -->\n\n## 0.2.0 (2026-03-04)\n\n- New.\n"
        "\n## 0.1.0 (2026-01-02)\n\n- Old.\n"
    )
    with pytest.raises(ValueError, match=r"version 0\.2\.0 is there already"):
        changelog.release(after, "0.2.0", dt.date(2026, 3, 5), "- Again.\n")


def test_the_fragments_of_this_repository_can_be_released(changelog: ModuleType) -> None:
    """CHANGELOG.md has its marker, and every fragment that is there has a name with a kind."""
    assert changelog.MARKER in (ROOT / "CHANGELOG.md").read_text()
    changelog.fragments(ROOT / "changelog.d")
