"""Tensor -> tensor: architectures, weights and training."""
