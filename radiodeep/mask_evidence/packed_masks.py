"""Masks of cases -> the same in little memory: the bits within their bounding boxes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask as the bits within its bounding box; `unpacked` returns the bool array."""

    shape: tuple
    box: tuple
    bits: np.ndarray

    @classmethod
    def of(cls, mask):
        """Pack a bool array; an empty one has an empty box."""
        box = (ndimage.find_objects(mask.view(np.uint8)) or [(slice(0, 0),) * mask.ndim])[0]
        return cls(mask.shape, box, np.packbits(mask[box]))

    def unpacked(self):
        mask = np.zeros(self.shape, dtype=bool)
        within = mask[self.box]
        within[...] = np.unpackbits(self.bits, count=within.size).reshape(within.shape)
        return mask


class PackedMasks(Mapping):
    """Masks by case id, bool arrays that are unpacked when they are asked for.

    Attributes
    ----------
    packed : dict from case id to PackedMask
    """

    def __init__(self, packed):
        self.packed = packed

    def __getitem__(self, case_id):
        return self.packed[case_id].unpacked()

    def __iter__(self):
        return iter(self.packed)

    def __len__(self):
        return len(self.packed)

    def __repr__(self):
        return f"masks of {len(self)} cases"
