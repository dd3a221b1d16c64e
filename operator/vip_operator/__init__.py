"""The operator of vip-operator; today the command `vip-operator plan`."""
