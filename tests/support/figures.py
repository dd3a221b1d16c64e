"""What a test measured, noted while it runs and printed at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# What was measured, and its value; a float is in seconds.
Figure = Callable[[str, object], None]
FIGURES: pytest.StashKey[list[str]] = pytest.StashKey()
