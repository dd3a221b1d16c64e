"""Static mode: what to run comes from manifests on disk."""
