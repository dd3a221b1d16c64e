"""`python -m vip_lab.cluster` starts a cluster, ends it, or says how to talk to it."""

import sys

from vip_lab.cluster.command import main

if __name__ == "__main__":
    sys.exit(main())
