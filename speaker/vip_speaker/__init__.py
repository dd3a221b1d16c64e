"""The speaker: elects, binds and announces the virtual addresses of one node."""
