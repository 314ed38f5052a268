"""Augmentation of whole batches, on the device that trains; the random numbers belong to the picture."""
