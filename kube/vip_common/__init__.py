"""What operator and agent share beyond the model: our kinds, manifests, logging, times."""
