"""The demo without Kubernetes: three hosts, a client, and an address that moves."""
