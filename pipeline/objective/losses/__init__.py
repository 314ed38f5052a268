"""One file = one loss = one name for `train.loss`; it offers `loss(logits, target, weight, task, params)`."""
