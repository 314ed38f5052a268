"""A matte for each photo: the pass over all photos, its methods, and the networks behind them."""
