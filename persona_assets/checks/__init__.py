"""Gates: what a partition must pass."""
