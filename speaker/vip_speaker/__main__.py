"""`python -m vip_speaker` is the command `vip-speaker`."""

import sys

from vip_speaker.cli import main

if __name__ == "__main__":
    sys.exit(main())
