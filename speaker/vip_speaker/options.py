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
    SOCKET_NAME,
    Settings,
)

_DEFAULT_SOCKET = f"{DEFAULT_STATE_DIRECTORY}/{SOCKET_NAME}"


def parse(words: list[str]) -> argparse.Namespace:
    """Return the parsed words; `command` names the subcommand. Exits with 2 on wrong usage."""
    return _parser().parse_args(words)


def settings_of(parsed: argparse.Namespace) -> Settings:
    """Return the settings of a command that runs something."""
    state = parsed.state_directory or DEFAULT_STATE_DIRECTORY
    cache = parsed.cache_directory or parsed.state_directory or DEFAULT_CACHE_DIRECTORY
    socket = parsed.socket or f"{state}/{SOCKET_NAME}"
    with_files = "manifests" in parsed
    return Settings(
        node=parsed.node,
        manifests=parsed.manifests if with_files else None,
        state_directory=os.path.abspath(state),  # noqa: PTH100  Path costs the roles 5 ms
        cache_directory=os.path.abspath(cache),  # noqa: PTH100
        socket=os.path.abspath(socket),  # noqa: PTH100
        http=parsed.http if with_files else None,
        log_level=parsed.log_level,
        with_agent=parsed.command == "run",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vip-speaker",
        description="Keeps virtual IP addresses alive on this node by VRRP.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"vip-speaker {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = _command(commands, "run", "run a speaker from manifests, without Kubernetes")
    _add_process_options(run)
    _add_agent_options(run)
    _add_status(commands)
    _add_check(commands)
    _add_process_options(_command(commands, "supervisor", "keep an engine alive, and only that"))
    _add_process_options(_command(commands, "engine", "speak VRRP; started by the supervisor"))
    agent = _command(commands, "agent", "follow manifests and run the gates beside an engine")
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
        "--http",
        metavar="ADDRESS:PORT",
        type=_http_address,
        default=DEFAULT_HTTP,
        help="where to serve /healthz, /readyz, /status and /metrics, or none "
        f"(default {DEFAULT_HTTP})",
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
    _add_manifests(check)
    _add_node(check)


def _add_manifests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--manifests",
        metavar="FILE_OR_DIR",
        required=True,
        type=_absolute,
        help="a YAML or JSON file, or a directory of *.yaml, *.yml and *.json",
    )


def _add_node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--node",
        metavar="NAME",
        type=_not_empty,
        default=os.uname().nodename,
        help="this node's name in the manifests (default: the host name, %(default)s)",
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
