"""Single values that were written in a way that does not fit, and what was probably meant. Pure."""

from __future__ import annotations

import re

_NO = frozenset({"no", "off"})
_YES = frozenset({"yes", "on"})


class UnclearText(str):
    """A value without quotes that YAML 1.1 and 1.2 read differently: 051, 1_000, yes, 2024-01-01.

    It is neither a number nor a text, so that it fits no field.
    """

    __slots__ = ()

    @property
    def why(self) -> str:
        """What it is and how it is read elsewhere."""
        lower = self.lower()
        if lower in _NO | _YES:
            return f"{self}, which some programs read as {'true' if lower in _YES else 'false'}"
        if re.fullmatch(r"[-+]?0[0-7_]+", self):
            return f"{self}, which some programs read as octal, {int(self, 8)}"
        if re.fullmatch(r"\d{4}-.*", self):
            return f"{self}, which some programs read as a date"
        return f"{self}, which not all programs read alike"

    @property
    def number(self) -> int | None:
        """The number that was most probably meant."""
        plain = self.replace("_", "")
        if re.fullmatch(r"[-+]?[0-9]+", plain):
            return int(plain) if len(plain) < 20 else None
        try:
            return int(plain, 0)
        except ValueError:
            return None


def instead(value: object, wanted: type, field: str) -> str | None:
    """Return what to write instead of a value of another type, None if nobody knows.

    Args:
        value: what was written.
        wanted: int, str or bool.
        field: name of the field, whose end is its unit.
    """
    if wanted is str:
        return "write it in quotes" if value is not None else None
    if wanted is not int:
        return None
    number = _number(value, field)
    if number is not None:
        quoted = isinstance(value, str) and value.strip() == str(number)
        return f"remove the quotes, write {number}" if quoted else f"write {number}"
    unit = next((unit for unit in _NANOSECONDS_BY_SUFFIX if field.endswith(unit)), None)
    return f"the field counts {unit.lower()}" if unit and not isinstance(value, bool) else None


def _number(value: object, field: str) -> int | None:
    """Return the whole number that a value stands for in a field."""
    if isinstance(value, UnclearText):
        return value.number
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e18 else None
    if not isinstance(value, str):
        return None
    plain = _PLAIN.fullmatch(value.strip())
    if plain is not None:
        return int(plain[0])
    duration = _DURATION.fullmatch(value.strip())
    unit = next((ns for suffix, ns in _NANOSECONDS_BY_SUFFIX.items() if field.endswith(suffix)), 0)
    if duration is None or not unit:
        return None
    whole, _, part = duration["number"].partition(".")
    digits = f"{whole}{part}"
    nanoseconds, rest = divmod(int(digits) * _NANOSECONDS[duration["unit"]], 10 ** len(part))
    return nanoseconds // unit if not rest and nanoseconds % unit == 0 else None


_PLAIN = re.compile(r"[-+]?[0-9]{1,18}")
_NANOSECONDS = {
    "ms": 10**6,
    "s": 10**9,
    "sec": 10**9,
    "second": 10**9,
    "seconds": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "minutes": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION = re.compile(
    rf"(?P<number>[0-9]{{1,9}}(\.[0-9]{{1,9}})?) ?(?P<unit>{'|'.join(_NANOSECONDS)})"
)
# The longest first, since one is the end of the other.
_NANOSECONDS_BY_SUFFIX = {"Milliseconds": 10**6, "Seconds": 10**9}
