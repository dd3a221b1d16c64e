"""`python -m vip_operator`."""

import sys

from vip_operator.cli import main

sys.exit(main())
