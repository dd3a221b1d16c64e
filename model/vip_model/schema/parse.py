"""From decoded documents (YAML or JSON, read elsewhere) to resources. Pure.

What users write is read strictly: an unknown field is an error. What the operator and the
speakers write is read leniently, so that an older reader understands a newer writer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from vip_model.resources.base import API_VERSION, GROUP, LABEL, NODE_NAME, SUBDOMAIN
from vip_model.resources.metadata import DEFAULT_NAMESPACE
from vip_model.resources.node import Node
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import ConfigError, Problem
from vip_model.schema.hosts import folded
from vip_model.schema.limits import Finding, text_problems
from vip_model.schema.shape import metadata_misfits, misfits

Resource = VirtualIP | VirtualIPPool | VirtualRouter | Speaker | Node


@dataclass(frozen=True, slots=True)
class _Kind:
    """How documents of one kind are read.

    Attributes:
        type: what they become.
        api_version: what they must say.
        strict: users write them.
        namespaced: they have a namespace.
    """

    type: type[Any]
    api_version: str = API_VERSION
    strict: bool = False
    namespaced: bool = False


_KINDS = {
    "VirtualIP": _Kind(VirtualIP, strict=True, namespaced=True),
    "VirtualIPPool": _Kind(VirtualIPPool, strict=True),
    "VirtualRouter": _Kind(VirtualRouter),
    "Speaker": _Kind(Speaker),
    "Node": _Kind(Node, api_version="v1"),
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was in a set of documents.

    Attributes:
        virtual_ips: in the order given.
        pools: likewise.
        virtual_routers: likewise.
        speakers: likewise.
        nodes: likewise; None where there is no Node document at all.
        ignored: documents of other kinds: "Deployment shop/web (vip.yaml)".
        problems: what could not be read.
        origins: KIND NAMESPACE/NAME to where it was read.
        unreadable: NAMESPACE/NAME of VirtualIPs that are there and could not be read.
    """

    virtual_ips: tuple[VirtualIP, ...]
    pools: tuple[VirtualIPPool, ...]
    virtual_routers: tuple[VirtualRouter, ...]
    speakers: tuple[Speaker, ...]
    nodes: tuple[Node, ...] | None
    ignored: tuple[str, ...]
    problems: tuple[Problem, ...]
    origins: Mapping[str, str]
    unreadable: frozenset[str]


def parse_document(content: object, origin: str = "", *, in_file: bool = False) -> Resource | None:
    """Return the resource that a decoded document is, None for a kind that is not ours.

    Only the shape is judged; `vip_model.schema.validation` judges the values.

    Args:
        content: the document.
        origin: where it was read, for error messages.
        in_file: a user wrote it as it is, so that unknown metadata is a mistake, and not of a
            newer API server.

    Raises:
        ConfigError: it does not have the shape of its kind; every misfit is listed.
    """
    if not isinstance(content, Mapping):
        message = f"it is {type(content).__name__}, not an object: begin with apiVersion and kind"
        raise ConfigError([Problem("Document", "", message, origin)])
    kind = _kind_of(content, origin)
    if kind is None:
        return None
    label = label_of(content)
    findings = list(_misfits(content, kind, in_file=in_file))
    if findings:
        raise ConfigError(Problem(label, field, text, origin) for field, text in findings)
    try:
        resource: Resource = msgspec.convert(content, kind.type)
    except msgspec.ValidationError as error:
        raise ConfigError([Problem(label, "", str(error), origin)]) from error
    return _with_folded_names(resource)


def parse_documents(documents: Iterable[tuple[str, object]]) -> Parsed:
    """Return every resource of a set of documents, and what could not be read.

    Items of a `kind: List` count as documents. A second document of the same kind and name is a
    problem, since only one of them could count.

    Args:
        documents: pairs of where it was read and the decoded document.
    """
    found: dict[type, list[Any]] = {kind.type: [] for kind in _KINDS.values()}
    ignored: list[str] = []
    problems: list[Problem] = []
    origins: dict[str, str] = {}
    unreadable: set[str] = set()
    for origin, content in single(documents):
        kind, key = _kind_and_key(content)
        try:
            resource = parse_document(content, origin, in_file=True)
        except ConfigError as error:
            problems += error.problems
            unreadable |= {key} if kind == "VirtualIP" else set()
            continue
        if resource is None:
            ignored.append(f"{label_of(content)} ({origin})" if origin else label_of(content))
            continue
        label = label_of(content)
        if label in origins:
            first = f" (first in {origins[label]})" if origins[label] else ""
            message = f"there are two documents of this name{first}: remove or rename one"
            problems.append(Problem(label, "metadata.name", message, origin))
            unreadable |= {key} if kind == "VirtualIP" else set()
            continue
        origins[label] = origin
        found[type(resource)].append(resource)
    return Parsed(
        virtual_ips=tuple(found[VirtualIP]),
        pools=tuple(found[VirtualIPPool]),
        virtual_routers=tuple(found[VirtualRouter]),
        speakers=tuple(found[Speaker]),
        nodes=tuple(found[Node]) or None,
        ignored=tuple(ignored),
        problems=tuple(problems),
        origins=origins,
        unreadable=frozenset(unreadable),
    )


def label_of(content: object) -> str:
    """Return KIND NAMESPACE/NAME of a decoded document, as far as it says."""
    return " ".join(filter(None, _kind_and_key(content)))


def _kind_and_key(content: object) -> tuple[str, str]:
    """Return the kind, and NAMESPACE/NAME or NAME, of a decoded document, as far as it says."""
    if not isinstance(content, Mapping):
        return "Document", ""
    kind = content.get("kind")
    kind = kind if isinstance(kind, str) and kind else "Document"
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    name = metadata.get("name") or "(without a name)"
    namespace = metadata.get("namespace")
    ours = _KINDS.get(kind)
    if ours is not None:
        namespace = (namespace or DEFAULT_NAMESPACE) if ours.namespaced else None
    return kind, f"{namespace}/{name}" if namespace else f"{name}"


def _with_folded_names(resource: Resource) -> Resource:
    """Return a resource in which the names of hosts are spelled as they are compared."""
    if isinstance(resource, Node):
        if resource.name == folded(resource.name):
            return resource
        metadata = replace(resource.metadata, name=folded(resource.name))
        return replace(resource, metadata=metadata)
    if not isinstance(resource, VirtualIP):
        return resource
    placement = resource.spec.placement
    if all(name == folded(name) for name in placement.named):
        return resource
    return replace(
        resource,
        spec=replace(resource.spec, placement=placement.renamed(folded)),
    )


def single(documents: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    """Yield the documents, and the items of a `kind: List` one by one."""
    for origin, content in documents:
        items = content.get("items") if isinstance(content, Mapping) else None
        if isinstance(content, Mapping) and content.get("kind") == "List" and items is not None:
            yield from ((origin, item) for item in items)
        else:
            yield origin, content


def _kind_of(content: Mapping[Any, Any], origin: str) -> _Kind | None:
    """Return how to read a document, None if it is none of ours."""
    name, api_version = content.get("kind"), content.get("apiVersion")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is not None and api_version == kind.api_version:
        return kind
    label = label_of(content)
    if kind is not None and (kind.api_version == API_VERSION or api_version is None):
        found = "it is missing" if api_version is None else f"{api_version!r} is not known"
        message = f"{found}: write {kind.api_version}"
        raise ConfigError([Problem(label, "apiVersion", message, origin)])
    if not isinstance(name, str) or not isinstance(api_version, str):
        missing = "kind" if not isinstance(name, str) else "apiVersion"
        message = f"it is missing: write apiVersion: {API_VERSION} and kind: VirtualIP"
        raise ConfigError([Problem(label, missing, message, origin)])
    if api_version.partition("/")[0] == GROUP:
        ours = [each for each, known in _KINDS.items() if known.api_version == API_VERSION]
        meant = difflib.get_close_matches(name, ours, n=1, cutoff=0.5)
        message = f"{name!r} is not known: " + (
            f"did you mean {meant[0]}?" if meant else f"choose one of {', '.join(ours)}"
        )
        raise ConfigError([Problem(label, "kind", message, origin)])
    return None


def _misfits(content: Mapping[str, Any], kind: _Kind, *, in_file: bool) -> Iterator[Finding]:
    yield from misfits(content, kind.type, "", root=kind.type if kind.strict else None)
    metadata = content.get("metadata")
    if not isinstance(metadata, Mapping):
        return
    if in_file and kind.strict:
        yield from metadata_misfits(metadata, kind.type)
    yield from _name_problems(metadata, kind)


def _name_problems(metadata: Mapping[str, Any], kind: _Kind) -> Iterator[Finding]:
    limits = LABEL if kind.namespaced else NODE_NAME if kind.type is Node else SUBDOMAIN
    for field, allowed in (("name", limits), ("namespace", LABEL)):
        value = metadata.get(field)
        if isinstance(value, str) and (field == "name" or kind.namespaced):
            yield from ((f"metadata.{field}", text) for text in text_problems(value, allowed))
