"""Logits and masks -> the loss of each example of a batch."""

from torch.nn import functional

_SMOOTHING = 1e-5  # voxels; keeps the Dice of two empty masks at 1


def dice_cross_entropy(outputs, targets):
    """Return the cross entropy of each example plus the soft Dice loss of the batch, shape (n,).

    `outputs` are logits and `targets` masks, both (n, 1, ...). The Dice is that of all voxels of the batch, since that
    of a patch without the region would be 0 whatever the network finds. F. Isensee et al., nnU-Net, Nature Methods 18
    (2021) 203.
    """
    entropy = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").flatten(1).mean(dim=1)
    found = outputs.sigmoid()
    overlap = (found * targets).sum()
    dice = (2 * overlap + _SMOOTHING) / (found.sum() + targets.sum() + _SMOOTHING)
    return entropy + (1 - dice)
