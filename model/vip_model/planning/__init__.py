"""From VirtualIPs and what is known of the nodes to elections, and why. Pure."""
