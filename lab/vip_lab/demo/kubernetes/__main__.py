"""`python -m vip_lab.demo.kubernetes` plays the demo on Kubernetes."""

import sys

from vip_lab.demo.kubernetes.main import main

if __name__ == "__main__":
    sys.exit(main())
