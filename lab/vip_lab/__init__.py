"""A LAN of hosts in network namespaces, with what runs on them and what watches them.

Shared by the network tests, the demo and the benchmarks. Everything happens inside namespaces
that a `Lan` makes and removes; no frame leaves them.
"""
