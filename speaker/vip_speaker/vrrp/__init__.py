"""VRRP (RFC 9568) without I/O: packets, timers and the election.

Standard library only; time is an argument, in integer nanoseconds.
"""
