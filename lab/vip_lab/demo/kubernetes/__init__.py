"""The demo on Kubernetes: a real cluster, the chart, and an address that follows ready pods."""
