"""Training a classifier: memory-mapped pictures, one visible loop, checkpoints to resume from."""
