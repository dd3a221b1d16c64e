"""What every type of a resource has in common: one struct, and documented fields with limits."""

from __future__ import annotations

import msgspec

GROUP = "vip-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_SUBDOMAIN = rf"{DNS_LABEL}(\.{DNS_LABEL})*"


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An object of the API or a part of one; field names are camelCase outside of Python.

    Unknown fields are ignored here. Documents that users write go through `vip_model.schema.parse`,
    which refuses them.
    """


class Observed(Part, frozen=True, kw_only=True):
    """A part that the system writes: unknown fields are ignored even where a user sends it."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a value must satisfy besides its type; the same in the CRD and in `schema.limits`.

    Attributes:
        minimum: smallest number.
        maximum: largest number.
        multiple_of: the number is a multiple of it.
        min_length: fewest characters or items.
        max_length: most characters or items.
        pattern: regular expression that a text must match as a whole.
        pattern_in_words: what the pattern allows, for a person to read.
        unique: no item of a list comes twice.
        items: limits of each item of a list, or of each value of a mapping.
        always: the API server judges the text also in what the system writes.
    """

    minimum: int | None = None
    maximum: int | None = None
    multiple_of: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    pattern_in_words: str = ""
    unique: bool = False
    items: Limits | None = None
    always: bool = False


LABEL = Limits(
    min_length=1,
    max_length=63,
    pattern=DNS_LABEL,
    pattern_in_words="lower-case letters, digits and '-', with a letter or digit first and last",
)
SUBDOMAIN = Limits(
    min_length=1,
    max_length=253,
    pattern=DNS_SUBDOMAIN,
    pattern_in_words=(
        "lower-case letters, digits, '-' and '.', with a letter or digit first and last"
    ),
)

# Names of hosts; those of a cluster have neither capitals nor '_'.
NODE_NAME = Limits(
    min_length=1,
    max_length=253,
    pattern=r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?",
    pattern_in_words=(
        "the name of a host: letters, digits, '-', '_' and '.', "
        "with a letter or digit first and last"
    ),
)


def described(text: str, limits: Limits | None = None) -> msgspec.Meta:
    """Return what stands beside a field's type: its description and its limits.

    The limits are kept from msgspec, which would stop at the first one that is broken.
    """
    return msgspec.Meta(description=text, extra={"limits": limits or Limits()})
