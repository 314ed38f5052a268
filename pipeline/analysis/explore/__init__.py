"""What the data look like, before anything is learnt from them."""
