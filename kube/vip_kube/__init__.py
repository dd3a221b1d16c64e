"""The Kubernetes API as operator and agent use it: one client, one reflector."""
