"""A real Kubernetes control plane for tests and the demo, and faults in front of it."""
