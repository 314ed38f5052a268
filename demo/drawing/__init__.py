"""Drawing the demo: a person, what they wear, and what stands behind them."""
