"""Cluster mode: what to run comes from VirtualRouters, what happens goes to a Speaker."""
