"""Heads of the classifier: one file = one value of `train.heads`.

Each offers
    build(backbone, params)                -> Module to outputs [B, K]; backbone(n[, pixels]) makes a timm net
    loss(outputs, target, params, loss_of) -> scalar
    probabilities(outputs, params)         -> float32 [B, 18], rows sum to 1
"""
