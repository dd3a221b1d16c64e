"""What the engine needs of Linux: sockets, addresses, links, announcements; no VRRP in here."""
