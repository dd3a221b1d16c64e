"""`python -m vip_lab.demo.bare_metal` plays the demo without Kubernetes."""

import sys

from vip_lab.demo.bare_metal.main import main

if __name__ == "__main__":
    sys.exit(main())
