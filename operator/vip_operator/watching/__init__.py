"""What happens in the cluster, on its way into the store."""
