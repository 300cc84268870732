"""Losses, metrics, optimisers, batches, the training itself, checkpoints and devices."""
