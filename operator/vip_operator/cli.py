"""The command `vip-operator`."""

from __future__ import annotations

import argparse
import os
import sys

import msgspec

from vip_model.__about__ import __version__
from vip_operator import manifests
from vip_operator.dry_run import document, dry_run, text

EXIT_REFUSED = 1
EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns 0 if everything is accepted, 1 if something is refused, 2 if something cannot be read
    or the usage is wrong.
    """
    try:
        status = _run(_parser().parse_args(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough. Python would complain again when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_REFUSED
    return status


def _run(parsed: argparse.Namespace) -> int:
    try:
        documents = manifests.read(parsed.filename)
    except manifests.ManifestError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    run = dry_run(documents)
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(document(run, parsed.node))).decode())
    elif run.parsed.virtual_ips or run.problems:
        print(text(run, parsed.node))
    else:
        print(f"There is no VirtualIP in {', '.join(parsed.filename)}", file=sys.stderr)
        return EXIT_REFUSED
    return EXIT_REFUSED if run.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vip-operator", description="Virtual IP addresses, kept alive by VRRP."
    )
    parser.add_argument("--version", action="version", version=f"vip-operator {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    plan = commands.add_parser(
        "plan",
        help="show who would get what and why, without doing any of it",
        description="Show which node would hold which address, and why. Nothing is changed.",
        epilog="Exit status: 0 all accepted, 1 something is refused, 2 something cannot be read.",
    )
    plan.add_argument(
        "-f",
        "--filename",
        action="extend",
        nargs="+",
        required=True,
        metavar="FILE",
        help="manifests, directories of them, or - for standard input",
    )
    plan.add_argument("--json", action="store_true", help="print JSON")
    plan.add_argument("--node", metavar="NAME", help="add what this node would be")
    return parser
