"""Training a classifier: memory-mapped pictures, one visible loop, checkpoints that it goes on from."""
