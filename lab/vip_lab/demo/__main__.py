"""`python -m vip_lab.demo` plays the demo."""

import sys

from vip_lab.demo.main import main

if __name__ == "__main__":
    sys.exit(main())
