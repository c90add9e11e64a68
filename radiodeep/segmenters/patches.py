"""Images and masks of cases -> the patches that a network is trained on, in batches."""

from dataclasses import dataclass

import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.devices import to_device
from radiodeep.networks.training.augmentation import Augmentation, OwnRangeAugmentation
from radiodeep.networks.training.examples import Examples

_SHARE_ABOUT_REGION = 0.5  # of the patches; the others lie anywhere


class Patches:
    """Patches drawn anew in every epoch, half of them about a voxel of the region; as `Examples` for `fit_network`.

    Each is an image with its mask behind: (channels + 1, y, x) of one slice, of which the channels of an image may be
    several slices, or (channels + 1, z, y, x).

    Parameters
    ----------
    images : list of float32 tensor of shape (channels, z, y, x)
    masks : list of bool tensor of shape (z, y, x)
    size : tuple of three ints
        Of a patch, in voxels along z, y and x.
    is_volume : bool
        Whether patches keep their axis z; otherwise its slices are channels, and the mask is that of the middle one.
    """

    def __init__(self, images, masks, size, is_volume):
        self.images = images
        self.masks = masks
        self.size = size
        self.is_volume = is_volume
        self._regions = [mask.nonzero().to(torch.int16) for mask in masks]
        self._fills = [float(image.min()) for image in images]

    def __len__(self):
        return len(self.images)

    def epoch(self, training, generator, device="cpu"):
        """Yield (patches, zeros, weights) of each batch, `training.n_views` patches of each case."""
        if not len(self):
            raise InputError("A network cannot be fitted to no cases. Give at least one.")
        order = torch.randperm(len(self) * training.n_views, generator=generator) % len(self)
        for places in order.tensor_split(-(-len(order) // int(training.batch_size))):
            patches = torch.stack([self._drawn(place, generator) for place in places.tolist()])
            yield to_device(patches, device), torch.zeros(len(patches)), torch.ones(len(patches), device=device)

    def fixed(self, n_patches, seed):
        """Return `Examples` of this number of patches of each case, drawn once."""
        generator = torch.Generator().manual_seed(seed)
        drawn = [self._drawn(place, generator) for place in range(len(self)) for _ in range(n_patches)]
        return Examples(torch.stack(drawn), torch.zeros(len(drawn)))

    def tensors(self):
        """Return the tensors by name, by which a checkpoint recognises its examples."""
        tensors = {"size": torch.tensor(self.size)}
        for number, (image, mask) in enumerate(zip(self.images, self.masks, strict=True)):
            tensors |= {f"image.{number}": image, f"mask.{number}": mask.to(torch.uint8)}
        return tensors

    def _drawn(self, place, generator):
        """Return a patch of a case."""
        image, mask, region = self.images[place], self.masks[place], self._regions[place]
        coin, voxel, *draws = torch.rand(5, generator=generator, dtype=torch.float64).tolist()
        centre = None
        if coin < _SHARE_ABOUT_REGION and len(region):
            centre = region[int(voxel * len(region))].tolist()
        firsts = self._firsts(mask.shape, centre, draws)
        shown = cut(image, firsts, self.size, self._fills[place])
        target = cut(mask[None], firsts, self.size, False).to(image.dtype)
        if self.is_volume:
            return torch.cat([shown, target])
        return torch.cat([shown.flatten(0, 1), target[:, self.size[0] // 2]])

    def _firsts(self, shape, centre, draws):
        """Return the first voxel of a patch about a voxel, or anywhere; an image smaller than a patch is its middle."""
        firsts = []
        for axis, (length, size, draw) in enumerate(zip(shape, self.size, draws, strict=True)):
            free = length - size
            if axis == 0 and not self.is_volume:  # any slice, the neighbours of which may be beyond the ends
                middle = int(draw * length) if centre is None else centre[0]
                firsts.append(middle - size // 2)
            elif free <= 0:
                firsts.append(-(-free // 2))
            elif centre is None:
                firsts.append(int(draw * (free + 1)))
            else:
                firsts.append(min(max(centre[axis] - size // 2, 0), free))
        return firsts


def cut(volume, firsts, size, fill):
    """Return the box of a tensor (channels, z, y, x) from the voxel `firsts` on, with `fill` beyond the image."""
    box = volume.new_full((len(volume), *size), fill)
    inner, outer = [slice(None)], [slice(None)]
    for first, length, whole in zip(firsts, size, volume.shape[1:], strict=True):
        low, high = max(first, 0), min(first + length, whole)
        outer.append(slice(low, high))
        inner.append(slice(low - first, high - first))
    box[tuple(inner)] = volume[tuple(outer)]
    return box


@dataclass(frozen=True)
class MaskedAugmentation:
    """An augmentation of images whose last planes are masks: these are moved with the image, and not brightened.

    Intensities change on a scale of 0..1 from the smallest to the largest of the patch.
    """

    augmentation: Augmentation
    n_planes: int  # of the mask

    def apply(self, images, generator):
        """Return changed copies of images (n, planes, height, width), as `Augmentation.apply`."""
        settings = vars(self.augmentation)
        moved = Augmentation(**settings | {"noise": 0.0, "intensity": 0.0}).apply(images, generator)
        if not (self.augmentation.noise or self.augmentation.intensity):
            return moved
        still = {"rotation": None, "flips": False, "elastic": 0.0, "zoom": 0.0, "shift": 0.0}
        changed = OwnRangeAugmentation(Augmentation(**settings | still))
        moved[:, : -self.n_planes] = changed.apply(moved[:, : -self.n_planes], generator)
        return moved


def masks_from_images(images, targets, generator):
    """Return images and the masks that were augmented with them as their last channel, as fit_network prepares them."""
    return images[:, :-1], (images[:, -1:] >= 0.5).to(images.dtype)
