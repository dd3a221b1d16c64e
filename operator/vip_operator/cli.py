"""The command `vip-operator`."""

from __future__ import annotations

import argparse
import math
import os
import sys

from vip_model.__about__ import __version__

EXIT_REFUSED = 1
EXIT_USAGE = 2

_DEFAULT_HTTP = ":8080"
_DEFAULT_CLEANUP_SECONDS = 100.0
_LOG_LEVELS = ("debug", "info", "warning", "error")


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    `plan` returns 0 if everything is accepted, 1 if something is refused, 2 if something cannot
    be read; `run` what `vip_operator.run.main` says; `cleanup` 0, or 1 if something is left.
    Wrong usage is 2.
    """
    commands = {"plan": _plan, "run": _run, "cleanup": _cleanup}
    try:
        parsed = parse(arguments)
        status = commands[parsed.command](parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough. Python would complain again when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_REFUSED
    return status


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed words; `command` names the subcommand. Exits with 2 on wrong usage."""
    return _parser().parse_args(arguments)


# Each command imports its own: `plan` must be quick, and works where kopf is not installed.
def _run(parsed: argparse.Namespace) -> int:
    try:
        from vip_model.planning.inputs import AddressPolicy  # noqa: PLC0415
        from vip_operator import run  # noqa: PLC0415
        from vip_operator.core import settings  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return _complain_of_missing(error)
    return run.main(
        run.Options(
            identity=parsed.identity or f"{os.uname().nodename}_{os.getpid()}",
            settings=settings.OperatorSettings(
                address_policy=AddressPolicy(parsed.address_policy),
                reserved_virtual_router_ids=parsed.reserved_virtual_router_ids,
                load_balancer_class=parsed.load_balancer_class or settings.LOAD_BALANCER_CLASS,
            ),
            kubeconfig=parsed.kubeconfig,
            namespace=parsed.namespace,
            http=parsed.http,
            speaker_template=parsed.speaker_template,
            log_level=parsed.log_level,
        )
    )


def _cleanup(parsed: argparse.Namespace) -> int:
    try:
        from vip_operator.commands import cleanup  # noqa: PLC0415
        from vip_operator.core import settings  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return _complain_of_missing(error)
    return cleanup.main(
        cleanup.Options(
            load_balancer_class=parsed.load_balancer_class or settings.LOAD_BALANCER_CLASS,
            kubeconfig=parsed.kubeconfig,
            namespace=parsed.namespace,
            seconds=parsed.timeout,
        )
    )


def _complain_of_missing(error: ModuleNotFoundError) -> int:
    print(f"{error}: install vip-operator[operator]", file=sys.stderr)
    return EXIT_USAGE


def _plan(parsed: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415

    from vip_common.manifests.reading import ManifestsError  # noqa: PLC0415
    from vip_operator.commands.dry_run import document, dry_run, text  # noqa: PLC0415
    from vip_operator.commands.manifests import read_all  # noqa: PLC0415

    try:
        found = read_all(parsed.filename)
    except ManifestsError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return EXIT_USAGE
    run = dry_run(found)
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(document(run, parsed.node))).decode())
    elif run.parsed.virtual_ips or run.problems:
        print(text(run, parsed.node))
    else:
        there_is_none = f"There is no VirtualIP in {', '.join(parsed.filename)}"
        print(there_is_none, *run.skipped, sep="\n", file=sys.stderr)
        return EXIT_REFUSED
    return EXIT_REFUSED if run.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vip-operator", description="Virtual IP addresses, kept alive by VRRP."
    )
    parser.add_argument("--version", action="version", version=f"vip-operator {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_plan(commands)
    _add_run(commands)
    _add_cleanup(commands)
    return parser


def _add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="plan for a Kubernetes cluster, and write the plan to its API",
        description="Run the operator. Several may run: one writes, the others stand by.",
        epilog="Exit status: 0 ended by SIGTERM or SIGINT, 1 no way to an API server or an error,"
        " 3 another operator took over.",
        allow_abbrev=False,
    )
    _add_access(run, "where the Leases of operators and speakers are")
    run.add_argument(
        "--identity",
        metavar="NAME",
        type=_not_empty,
        default=os.environ.get("POD_NAME") or None,
        help="name among the operators; a random part is added "
        "(default: POD_NAME, else host name and process id)",
    )
    run.add_argument(
        "--http",
        metavar="[ADDRESS]:PORT",
        type=_http_address,
        default=_DEFAULT_HTTP,
        help="where to serve /healthz, /readyz and /metrics, or none (default %(default)s)",
    )
    run.add_argument(
        "--address-policy",
        choices=("Any", "PoolsOnly"),
        default="Any",
        help="which addresses VirtualIPs may claim (default %(default)s)",
    )
    run.add_argument(
        "--reserved-virtual-router-ids",
        metavar="LIST",
        type=_virtual_router_ids,
        default=frozenset(),
        help="VRIDs that are never allocated, such as 1,51-60",
    )
    _add_load_balancer_class(run, "class of the Services whose status gets the addresses")
    run.add_argument(
        "--speaker-template",
        metavar="NAME",
        type=_not_empty,
        help="ConfigMap of that namespace whose key daemonset.yaml is the speakers' DaemonSet, "
        "which is kept as it says (default: no DaemonSet is kept)",
    )
    run.add_argument(
        "--log-level",
        choices=_LOG_LEVELS,
        default="info",
        help="least level logged (default %(default)s)",
    )


def _add_cleanup(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cleanup = commands.add_parser(
        "cleanup",
        help="stop operator and speakers of a cluster, and remove what they have written",
        description="Stop the operator, then the speakers, and remove what only they have written:"
        " VirtualRouters, Speakers, Leases, and what is in the status of Services and VirtualIPs."
        " VirtualIPs stay.",
        epilog="Exit status: 0 all of it is gone, 1 something is left; what, is said.",
        allow_abbrev=False,
    )
    _add_access(cleanup, "where operator and speakers are")
    _add_load_balancer_class(cleanup, "class of the Services whose status is cleared")
    cleanup.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=_DEFAULT_CLEANUP_SECONDS,
        help="for all of it (default %(default)g)",
    )


def _add_access(parser: argparse.ArgumentParser, what_is_in_the_namespace: str) -> None:
    parser.add_argument(
        "--kubeconfig",
        metavar="PATH",
        type=_not_empty,
        help="how to reach the API server (default: as the pod this runs in, else kubectl's)",
    )
    parser.add_argument(
        "--namespace",
        metavar="NAMESPACE",
        type=_not_empty,
        default=os.environ.get("POD_NAMESPACE") or None,
        help=f"{what_is_in_the_namespace} "
        "(default: POD_NAMESPACE, else that of the pod or kubeconfig)",
    )


def _add_load_balancer_class(parser: argparse.ArgumentParser, what_it_is: str) -> None:
    parser.add_argument("--load-balancer-class", metavar="CLASS", help=what_it_is)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, such as 100")
    return seconds


def _not_empty(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _http_address(text: str) -> str | None:
    """Return [ADDRESS]:PORT as given, or None for `none`."""
    if text == "none":
        return None
    _host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not ADDRESS:PORT, such as {_DEFAULT_HTTP} or 127.0.0.1:8080, nor none"
        )
    return text


def _virtual_router_ids(text: str) -> frozenset[int]:
    """Return the numbers of a list such as 1,51-60."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, dash, last = part.strip().partition("-")
        ends = (first, last if dash else first)
        if not all(each.isascii() and each.isdigit() and 1 <= int(each) <= 255 for each in ends):
            raise argparse.ArgumentTypeError(
                f"{part.strip()!r} is neither a VRID of 1-255 nor a range of them, such as 51-60"
            )
        if int(ends[0]) > int(ends[1]):
            raise argparse.ArgumentTypeError(f"the range {part.strip()!r} ends before it begins")
        found.update(range(int(ends[0]), int(ends[1]) + 1))
    return frozenset(found)
