"""A Kubernetes cluster of real nodes in network namespaces, without Docker and without registry."""
