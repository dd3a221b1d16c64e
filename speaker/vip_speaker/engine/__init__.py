"""The engine: speaks VRRP and holds the addresses of one node, in one loop and one small process.

No Kubernetes, no HTTP, no YAML: it starts in about a tenth of a second, so that it can resume
before the others take over.
"""
