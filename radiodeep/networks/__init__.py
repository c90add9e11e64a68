"""Tensor -> tensor: architectures, weights and training."""

from radiodeep.extras import require_package

require_package("torch")
