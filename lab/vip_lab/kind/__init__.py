"""The same cluster, made by kind: its nodes are Docker containers."""
