"""Who is probably mislabelled: evidence from people that a model has not learnt, and rules beside it."""
