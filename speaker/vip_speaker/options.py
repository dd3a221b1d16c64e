"""The command line of `vip-speaker`, and the settings that it amounts to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from vip_model.__about__ import __version__
from vip_speaker.settings import (
    DEFAULT_CACHE_DIRECTORY,
    DEFAULT_HTTP,
    DEFAULT_STATE_DIRECTORY,
    LOG_LEVELS,
    NAMESPACE_VARIABLE,
    NODE_VARIABLE,
    SOCKET_NAME,
    Settings,
    default_node,
)

_DEFAULT_SOCKET = f"{DEFAULT_STATE_DIRECTORY}/{SOCKET_NAME}"


def parse(words: list[str]) -> argparse.Namespace:
    """Return the parsed words; `command` names the subcommand. Exits with 2 on wrong usage."""
    parser = _parser()
    parsed = parser.parse_args(words)
    if "cluster" in parsed:
        _check_source(parser, parsed)
    if parsed.command == "check":
        if (parsed.source is None) == (parsed.manifests is None):
            parser.error("check: give one file or directory")
        parsed.manifests = parsed.manifests or parsed.source
    return parsed


def settings_of(parsed: argparse.Namespace) -> Settings:
    """Return the settings of a command that runs something."""
    state = parsed.state_directory or DEFAULT_STATE_DIRECTORY
    cache = parsed.cache_directory or parsed.state_directory or DEFAULT_CACHE_DIRECTORY
    socket = parsed.socket or f"{state}/{SOCKET_NAME}"
    with_agent = "cluster" in parsed
    return Settings(
        node=parsed.node,
        manifests=parsed.manifests if with_agent else None,
        cluster=parsed.cluster if with_agent else False,
        kubeconfig=parsed.kubeconfig if with_agent else None,
        namespace=_namespace(parsed) if with_agent else None,
        state_directory=os.path.abspath(state),  # noqa: PTH100  Path costs the roles 5 ms
        cache_directory=os.path.abspath(cache),  # noqa: PTH100
        socket=os.path.abspath(socket),  # noqa: PTH100
        http=parsed.http if with_agent else None,
        probe_socket=parsed.probe_socket if with_agent else None,
        log_level=parsed.log_level,
        with_agent=parsed.command == "run",
    )


def _namespace(parsed: argparse.Namespace) -> str | None:
    if not parsed.cluster:
        return None
    return parsed.namespace or os.environ.get(NAMESPACE_VARIABLE) or None


def _check_source(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> None:
    """Exit with 2 unless there is exactly one place to take orders from."""
    if parsed.cluster and parsed.manifests:
        parser.error("--cluster and --manifests exclude each other: choose one")
    if not parsed.cluster and not parsed.manifests:
        parser.error("required: --manifests FILE_OR_DIR, or --cluster")
    if not parsed.cluster and (parsed.kubeconfig or parsed.namespace):
        parser.error("--kubeconfig and --namespace are of use only with --cluster")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vip-speaker",
        description="Keeps virtual IP addresses alive on this node by VRRP.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"vip-speaker {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = _command(commands, "run", "run a speaker, all of it under one supervisor")
    _add_process_options(run)
    _add_agent_options(run)
    _add_status(commands)
    _add_check(commands)
    _add_probe(commands)
    _add_process_options(_command(commands, "supervisor", "keep an engine alive, and only that"))
    _add_process_options(_command(commands, "engine", "speak VRRP; started by the supervisor"))
    agent = _command(
        commands, "agent", "follow manifests or a cluster, and run the gates beside an engine"
    )
    _add_process_options(agent)
    _add_agent_options(agent)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}."
    return commands.add_parser(name, help=text, description=description, allow_abbrev=False)


def _add_process_options(parser: argparse.ArgumentParser) -> None:
    _add_node(parser)
    parser.add_argument(
        "--state-directory",
        metavar="DIR",
        type=_not_empty,
        help=f"what must survive a restart (default {DEFAULT_STATE_DIRECTORY})",
    )
    parser.add_argument(
        "--cache-directory",
        metavar="DIR",
        type=_not_empty,
        help="what must survive a reboot "
        f"(default: the state directory if given, else {DEFAULT_CACHE_DIRECTORY})",
    )
    parser.add_argument(
        "--socket",
        metavar="PATH",
        type=_not_empty,
        help=f"the engine's unix socket (default: {SOCKET_NAME} in the state directory)",
    )
    parser.add_argument(
        "--log-level", choices=LOG_LEVELS, default="info", help="least level logged (default info)"
    )


def _add_agent_options(parser: argparse.ArgumentParser) -> None:
    _add_manifests(parser)
    parser.add_argument(
        "--cluster", action="store_true", help="follow a Kubernetes cluster instead of manifests"
    )
    parser.add_argument(
        "--kubeconfig",
        metavar="PATH",
        type=_absolute,
        help="how to reach the cluster (default: as a pod, else as kubectl does)",
    )
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        type=_not_empty,
        help=f"the operator's (default: ${NAMESPACE_VARIABLE}, else that of pod or kubeconfig)",
    )
    parser.add_argument(
        "--http",
        metavar="ADDRESS:PORT",
        type=_http_address,
        default=DEFAULT_HTTP,
        help="where to serve /healthz, /readyz, /status and /metrics, or none "
        f"(default {DEFAULT_HTTP})",
    )
    parser.add_argument(
        "--probe-socket",
        metavar="PATH",
        type=_absolute,
        help="unix socket where `vip-speaker probe` finds the agent alive (default: none)",
    )


def _add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    status = _command(commands, "status", "show what this node's engine runs")
    status.add_argument("--json", action="store_true", help="print JSON for programs")
    status.add_argument(
        "--socket",
        metavar="PATH",
        type=_not_empty,
        default=_DEFAULT_SOCKET,
        help=f"the engine's unix socket (default {_DEFAULT_SOCKET})",
    )


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = _command(commands, "check", "validate manifests and show what this node would run")
    check.add_argument(
        "source", metavar="FILE_OR_DIR", nargs="?", type=_absolute, help="what to check"
    )
    _add_manifests(check)
    _add_node(check)
    where = check.add_mutually_exclusive_group()
    where.add_argument(
        "--this-host",
        action="store_const",
        const=True,
        help="look at the interfaces of this host (default: if NAME is its host name)",
    )
    where.add_argument(
        "--offline",
        dest="this_host",
        action="store_const",
        const=False,
        help="judge the manifests alone",
    )


def _add_probe(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    probe = _command(commands, "probe", "ask an agent whether it is alive, and nothing else")
    probe.add_argument(
        "--socket",
        metavar="PATH",
        required=True,
        type=_not_empty,
        help="the agent's unix socket, as in its --probe-socket",
    )


def _add_manifests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--manifests",
        metavar="FILE_OR_DIR",
        type=_absolute,
        help="a YAML or JSON file, or a directory of *.yaml, *.yml and *.json",
    )


def _add_node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--node",
        metavar="NAME",
        type=_not_empty,
        default=default_node(),
        help="this node's name in manifests or cluster "
        f"(default: ${NODE_VARIABLE}, else the host name: %(default)s)",
    )


def _not_empty(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _absolute(text: str) -> str:
    return str(Path(_not_empty(text)).absolute())


def _http_address(text: str) -> str | None:
    """Return ADDRESS:PORT as given, or None for `none`."""
    if text == "none":
        return None
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not ADDRESS:PORT, such as {DEFAULT_HTTP} or [::1]:9112, nor none"
        )
    return text
