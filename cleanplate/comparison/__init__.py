"""Did it help? Paired tests between two sets of predictions, and their presentation."""
