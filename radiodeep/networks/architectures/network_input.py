"""What a network takes as input, and images -> what it is given."""

from dataclasses import dataclass, replace

import torch

from radiodeep.exceptions import InputError


@dataclass(frozen=True)
class NetworkInput:
    """What a network expects as input.

    Attributes
    ----------
    size : int
        Side of the square or cubic input in pixels.
    channels : int
    mean, std : tuple of float, one per channel
        The network expects `(image - mean) / std` of images scaled to 0..1, or of unscaled intensities, for example HU,
        if it has `own_units`.
    layer : str or None
        The layer that published studies take features from; None for the pooled layer before the classifier.
    fixed_size : bool
        Whether the network accepts no other size.
    dimensions : {2, 3}
        Number of spatial dimensions.
    spacing_mm : float or None
        Voxel spacing of a cube along every axis; None if the user chooses it.
    orientation : str
        Where the three axes of a cube point to, e.g. "RAS" (right, anterior, superior). "SPL" are the axes z, y, x of
        radiodeep. Cubes are turned and mirrored by `normalize`.
    intensity_range : None, "minmax" or (low, high)
        Intensities that are 0 and 1 to the network, unless the user gives others.
    lowest : float or None
        Lower intensities are clipped to this value before normalization.
    standardize : bool or "nonzero"
        Whether each image is standardized to mean 0 and standard deviation 1 before normalization; "nonzero" leaves
        voxels of intensity 0 out, and as they are.
    sequence : bool
        Whether one example holds all slices of a lesion: (n, length, channels, height, width), padded with slices of
        NaN.
    last_activation : str or None
        Name of the activation module before the pooled features, if features before it are available.
    """

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layer: str | None = None
    fixed_size: bool = False
    dimensions: int = 2
    spacing_mm: float | None = None
    orientation: str = "SPL"
    intensity_range: str | tuple[float, float] | None = None
    lowest: float | None = None
    standardize: bool | str = False
    sequence: bool = False
    last_activation: str | None = None

    def on_channels(self, planes):
        """Return images (n, channels, ...) of planes (n, 1 or channels, ...), an ndarray; intensities stay as they are.

        A single grey plane is expanded to all channels without a copy.
        """
        images = torch.from_numpy(planes)
        if images.ndim != self.dimensions + 2 or images.shape[1] not in (1, self.channels):
            raise InputError(f"The network takes images of 1 or {self.channels} planes. Got shape {planes.shape}.")
        return images.expand(-1, self.channels, *images.shape[2:])

    def normalize(self, images):
        """Apply the normalization that the network was trained with to images of shape (n, channels, ...).

        Sequences have the shape (n, length, channels, height, width). Images are scaled to 0..1, or in the unit of the
        scanner if the network has `own_units`. Raise InputError for another number of channels or dimensions.
        """
        if self.sequence and images.ndim == 5:
            return self.normalize(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        if images.ndim != self.dimensions + 2 or images.shape[1] != self.channels:
            space = "height, width" if self.dimensions == 2 else "z, y, x"
            raise InputError(
                f"Images must have shape (n, {self.channels}, {space}). Got {tuple(images.shape)} instead."
            )
        if self.dimensions == 3:
            images = _turned(images, self.orientation)
        is_linear = self.lowest is None and not self.standardize
        if is_linear and set(self.mean) == {0.0} and set(self.std) == {1.0}:
            return images
        if is_linear and images.stride(1) == 0 and len(set(self.mean)) == len(set(self.std)) == 1:
            return ((images[:, :1] - self.mean[0]) / self.std[0]).expand_as(images)  # one plane in memory
        if self.lowest is not None:
            images = images.clamp(min=self.lowest)
        if self.standardize:
            images = (_standardized_but_zeros if self.standardize == "nonzero" else _standardized)(images)
        mean, std = (images.new_tensor(values).view(1, -1, *[1] * self.dimensions) for values in (self.mean, self.std))
        return (images - mean) / std

    @property
    def own_units(self):
        """Whether images keep the units of the scanner, such as HU, until normalization."""
        return self.spacing_mm is not None and self.intensity_range is None

    def with_normalization(self, values):
        """Return a copy with other `mean` and `std`, given as the rows of an array of shape (2, channels)."""
        mean, std = (tuple(map(float, row)) for row in values)
        return replace(self, mean=mean, std=std)

    def in_axes_of_images(self, cubes):
        """Return cubes of the orientation of the network, such as gradients, in the axes of images."""
        axes, flipped = _order(self.orientation)
        return cubes.flip(flipped).permute(0, 1, *(2 + axes.index(axis) for axis in range(3)))


def _order(orientation):
    """Return the axis (0, 1, 2 for z, y, x) of each letter, and the axes of a batch that are then mirrored."""
    axes = [next(axis for axis, pair in enumerate(("SI", "PA", "LR")) if letter in pair) for letter in orientation]
    return axes, [2 + place for place, letter in enumerate(orientation) if letter in "IAR"]


def _turned(cubes, orientation):
    """Return cubes (n, channels, z, y, x), whose axes point to superior, posterior and left, in an orientation."""
    axes, flipped = _order(orientation)
    return cubes if orientation == "SPL" else cubes.permute(0, 1, *(2 + axis for axis in axes)).flip(flipped)


def _standardized(images):
    """Return images of mean 0 and deviation 1, each for itself; one of a single intensity becomes all zeros."""
    space = tuple(range(1, images.ndim))
    deviation = images.std(dim=space, correction=0, keepdim=True)
    return (images - images.mean(dim=space, keepdim=True)) / deviation.where(deviation > 0, 1)


def _standardized_but_zeros(images):
    """Return images whose pixels other than 0 have mean 0 and deviation 1, each for itself; zeros stay."""
    images = images.clone()
    for image in images:
        is_counted = image != 0
        if is_counted.any():
            image[is_counted] = _standardized(image[is_counted][None])[0]
    return images
