"""Losses: one file = one value of `train.loss`; it offers `loss(logits, target, weight, task, params)`."""
