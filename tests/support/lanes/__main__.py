"""The command behind `make test`: python -m support.lanes [LANE...], in the checkout's folder."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from support.lanes.plan import plan, select
from support.lanes.run import Run
from support.rings import ROOT
from vip_lab.lan import ending_on_sigterm


def main() -> int:
    """Run the lanes that were named, all of them by default."""
    jobs = plan(os.cpu_count() or 1)
    parser = argparse.ArgumentParser(prog="hack/test")
    parser.add_argument("lanes", nargs="*", metavar="LANE", help="default: all of them")
    try:
        selected = select(jobs, parser.parse_args().lanes)
    except ValueError as error:
        parser.error(str(error))
    with ending_on_sigterm(), tempfile.TemporaryDirectory(prefix="vip-tests-") as directory:
        # Root's caches would be in the way of the user's next run.
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{directory}/hypothesis"
        try:
            return Run(selected, Path(directory), ROOT).carry_out()
        except KeyboardInterrupt:
            print("interrupted; nothing is left running", flush=True)
            return 130


if __name__ == "__main__":
    sys.exit(main())
