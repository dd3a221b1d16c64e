"""The command `vip-speaker`: run a speaker, ask it, check its manifests, probe its agent.

Nothing is imported before it is known which subcommand runs: the supervisor and the engine are
restarted inside the window of their peers, where every 10 ms of imports count.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from vip_speaker.settings import ROLES, Settings, SettingsError, role_command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from vip_speaker.messages import DesiredRouter

EXIT_PROBLEM = 1
EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0 if all is well, 1 on a problem, 2 on wrong usage."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) == 1 and words[0] in ROLES:
        return _run_role(words[0])
    from vip_speaker import options  # noqa: PLC0415  argparse costs 10 ms

    parsed = options.parse(words)
    if parsed.command in ("status", "check"):
        return _print(_status if parsed.command == "status" else _check, parsed)
    if parsed.command == "probe":
        return _probe(parsed)
    settings = options.settings_of(parsed)
    role = "supervisor" if parsed.command == "run" else parsed.command
    return _become(role, settings)


def _run_role(role: str) -> int:
    """Run a role in this process, with the settings of the environment."""
    # Each role imports only what it needs, so the imports are here.
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"vip-speaker {role}: {error}", file=sys.stderr)
        return EXIT_USAGE
    if role == "supervisor":
        from vip_speaker import supervisor  # noqa: PLC0415

        return supervisor.main(settings)
    if role == "engine":
        from vip_speaker.engine import main as engine  # noqa: PLC0415

        return engine.main(settings)
    from vip_speaker.agent import main as agent  # noqa: PLC0415

    return agent.main(settings)


def _become(role: str, settings: Settings) -> NoReturn:
    """Replace this process by the role, so that the process list shows nothing but its name."""
    command = role_command(role)
    environment = {**os.environ, **settings.to_environment()}
    sys.stdout.flush()
    os.execve(command[0], command, environment)  # noqa: S606  there is no shell to go through


def _print(command: Callable[[argparse.Namespace], int], parsed: argparse.Namespace) -> int:
    """Run a command that prints, also into a pipe that is closed early."""
    try:
        status = command(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe. Python would complain again when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PROBLEM
    return status


def _status(parsed: argparse.Namespace) -> int:
    from datetime import UTC, datetime  # noqa: PLC0415

    import msgspec  # noqa: PLC0415

    from vip_speaker import status_command  # noqa: PLC0415

    try:
        answer = status_command.fetch(parsed.socket)
    except status_command.NoAnswerError as error:
        print(error, file=sys.stderr)
        return EXIT_PROBLEM
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(status_command.document(answer))).decode())
    else:
        print(status_command.table(answer, datetime.now(UTC)))
    return 0


def _probe(parsed: argparse.Namespace) -> int:
    from vip_speaker import liveness  # noqa: PLC0415

    complaint = liveness.why_not_alive(parsed.socket)
    if complaint:
        print(complaint, file=sys.stderr)
    return EXIT_PROBLEM if complaint else 0


def _check(parsed: argparse.Namespace) -> int:
    from vip_speaker.agent.manifests import check  # noqa: PLC0415

    findings = check.check(parsed.manifests, parsed.node)
    if findings.text:
        print(findings.text)
    problems, warnings = findings.problems, findings.warnings
    if findings.routers:
        found, more = _check_host(parsed, findings.routers)
        problems, warnings = problems + found, warnings + more
    for warning in warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    for problem in problems:
        print(f"Problem: {problem}", file=sys.stderr)
    return EXIT_PROBLEM if problems else 0


def _check_host(
    parsed: argparse.Namespace, routers: tuple[DesiredRouter, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Print where the routers would run on this host; return problems and warnings."""
    from vip_speaker import host_check, status_command  # noqa: PLC0415

    if parsed.this_host is False:
        return (), ()
    if parsed.this_host is None and not host_check.is_this_host(parsed.node):
        print(f"\nThe interfaces of this host were not looked at, since it is not {parsed.node}.")
        return (), ()
    try:
        view = host_check.look()
    except OSError as error:
        return (f"The interfaces of this host could not be listed: {error}",), ()
    found = host_check.judge(routers, view, host_check.read_setting)
    print("\nOn this host:\n")
    for line in status_command.align(found.rows):
        print(line)
    return found.problems, found.warnings
