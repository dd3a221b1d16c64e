"""Gates: conditions of this node, probed again and again, each with a verdict."""
