"""The resources of vip-operator and the plan that follows from them. Pure: no I/O, no clock."""
