"""What the operator decides: pure functions over frozen data, with time as an argument."""
