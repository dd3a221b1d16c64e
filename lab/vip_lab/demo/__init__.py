"""The demos: a client, an address that moves, and everything that can go wrong in between."""
