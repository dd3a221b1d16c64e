"""Commands that a person runs: `vip-operator plan` and `vip-operator cleanup`."""
