"""The speakers' DaemonSet, kept as its template says."""
