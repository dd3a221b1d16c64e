"""What reaches the API server: fenced writes, and the Lease that allows them."""
