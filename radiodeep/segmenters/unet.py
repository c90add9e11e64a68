"""`UNetSegmenter`: a U-Net learns the masks of a cohort and outlines new images."""

from pathlib import Path

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils.validation import check_is_fitted
from torch import nn

from radiodeep.cases.cohort import as_cases
from radiodeep.cases.training_range import facts_of_images, training_range
from radiodeep.checks import (
    is_count,
    is_flag,
    is_fraction,
    is_non_negative,
    is_positive,
    is_sequence,
    require,
    require_option,
)
from radiodeep.exceptions import InputError
from radiodeep.extras import require_package
from radiodeep.imaging.intensity import are_limits
from radiodeep.networks.devices import chosen_device, torch_threads
from radiodeep.networks.training.augmentation import Augmentation
from radiodeep.networks.training.fitting import fit_network, to_channels_last, warn_of_flat_loss
from radiodeep.progress import with_progress
from radiodeep.segmenters.losses import dice_cross_entropy
from radiodeep.segmenters.network_grid import NetworkGrid, interpolated
from radiodeep.segmenters.patches import MaskedAugmentation, Patches, cut, masks_from_images
from radiodeep.segmenters.segmenter import Segmenter, largest_part
from radiodeep.segmenters.training import segmentation_training

DIMENSIONS = (2, "2.5d", 3)
_N_SLICES = 3  # of 2.5-D: a slice and its neighbours
_VALIDATION_PATCHES = 4  # of each case that is held out
_AT_ONCE = 16  # patches
_SIZES = {2: 64, "2.5d": 64, 3: 32}  # of a patch, in voxels


class UNetSegmenter(Segmenter):
    """A U-Net of MONAI that learns to outline lesions from the masks of a cohort.

    Images are brought to one voxel size and scale of intensities. The network is trained on patches, half of them about
    the region, with the sum of cross entropy and Dice loss. New images are covered by overlapping patches, whose
    probabilities are averaged and brought back to the voxels of the image.

    Parameters
    ----------
    dimensions : {2, "2.5d", 3}, default=3
        Slices; slices with their two neighbours; or volumes. Slices are those of the plane of acquisition.
    spacing_mm : float or three floats (z, y, x), optional
        Size of the voxels that the network sees, 0 for the size that an axis has. By default the median of the cases.
        Slices keep their distance.
    patch_size : int or sequence of int, optional
        In voxels of `spacing_mm`, along (z, y, x), or (y, x) of slices: multiples of 2 to the number of `channels` less
        one. By default 32 for volumes and 64 for slices.
    intensity_range : "z-score" or (low, high), default="z-score"
        Scale each image to mean 0 and standard deviation 1, or map a range, e.g. (-1000, 400) HU, to 0..1 and clip.
    channels : sequence of int, default=(16, 32, 64, 128)
        Of each level of the U-Net.
    image : str or list of str, optional
        Of cases with several images: that to segment, or those on one grid that the network sees together.
    overlap : float, default=0.5
        Of neighbouring patches, as a share of their size, >= 0 and < 1.
    keep_largest : bool, default=True
        Leave only the largest connected part of a mask.
    training : Training, optional
        By default that of `segmentation_training`, 40 epochs. Its `n_views` is the number of patches of a case in an
        epoch.
    random_state : int, default=0
    device : str, default="auto"
    n_threads : int, optional
        Of torch on a processor.
    checkpoint_dir : path-like, optional
        Folder from which a killed training goes on.

    Attributes
    ----------
    networks_ : list of dict
        The weights of the network, arrays by name.
    history_ : list of list of dict
        As of `CNNClassifier`.
    spacing_mm_ : ndarray of shape (3,)
        Size of the voxels that the network sees; 0 for an axis that keeps its own.
    training_range_ : dict
        Range of the cases of `fit`.

    Raises
    ------
    InputError
        For parameters out of range, and cases of one slice with ``dimensions=3``.
    MissingExtraError
        MONAI is not installed.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, U-Net: convolutional networks for biomedical image segmentation, MICCAI 2015.
    F. Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation, Nature
    Methods 18 (2021) 203.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.UNetSegmenter(dimensions=4).fit(rd.make_phantom_cohort(2, random_state=0))
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'dimensions' parameter of UNetSegmenter must be one of 2, 2.5d, 3. Got 4 ...
    """

    def __init__(
        self,
        dimensions=3,
        spacing_mm=None,
        patch_size=None,
        intensity_range="z-score",
        *,
        channels=(16, 32, 64, 128),
        image=None,
        overlap=0.5,
        keep_largest=True,
        training=None,
        random_state=0,
        device="auto",
        n_threads=None,
        checkpoint_dir=None,
    ):
        self.dimensions = dimensions
        self.spacing_mm = spacing_mm
        self.patch_size = patch_size
        self.intensity_range = intensity_range
        self.channels = channels
        self.image = image
        self.overlap = overlap
        self.keep_largest = keep_largest
        self.training = training
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.checkpoint_dir = checkpoint_dir

    def fit(self, cases, y=None):
        """Train the network on the masks of cases.

        Parameters
        ----------
        cases : Cohort or sequence of Case
        y : ignored

        Returns
        -------
        self
        """
        self._check_parameters()
        require_package("monai")
        cases = as_cases(cases)
        if not cases:
            raise InputError("There are no cases. Give at least one.")
        self.spacing_mm_ = self._spacing_of_network(cases)
        grid = self._grid()
        images, masks = [], []
        for case in with_progress(cases, "Reading", len(cases), "cases"):
            lesions, _ = grid.lesions(case, self._image_names())
            images.append(grid.image(lesions))
            masks.append(grid.mask(lesions[0]))
        held_out = self._held_out(cases)
        self.history_ = [self._fit_network(images, masks, held_out)]
        warn_of_flat_loss(
            self.history_,
            type(self).__name__,
            "The masks will be little better than chance. Take more epochs or a higher learning_rate, and check that "
            "the masks belong to the images.",
        )
        names = self._image_names()
        facts = [facts_of_images(case.of_image(names[0]) if names else case) for case in cases]
        self.training_range_ = training_range(facts)
        return self

    def predict_proba(self, cases):
        """Return the probability of each voxel to belong to the region.

        Parameters
        ----------
        cases : Cohort or sequence of Case

        Returns
        -------
        list of float32 ndarray of shape (z, y, x)
        """
        return list(self._each_probability(cases))

    def predict(self, cases):
        return [self._mask(probability) for probability in self._each_probability(cases)]

    predict.__doc__ = Segmenter.predict.__doc__

    def _fit_network(self, images, masks, held_out):
        """Train a network on cases that are not held out, keep its weights in `networks_` and return its history."""
        is_volume = self.dimensions == 3
        size = self._window()
        given = ([part for part, out in zip(parts, held_out, strict=True) if not out] for parts in (images, masks))
        examples = Patches(*given, size, is_volume)
        validation = None
        if held_out.any():
            others = ([part for part, out in zip(parts, held_out, strict=True) if out] for parts in (images, masks))
            validation = Patches(*others, size, is_volume).fixed(_VALIDATION_PATCHES, self.random_state)
        training = clone(self._plan())
        if training.augmentation is not None:
            training.augmentation = MaskedAugmentation(training.augmentation, size[0] if is_volume else 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            network = self._network()
        checkpoint = None
        if self.checkpoint_dir is not None:
            checkpoint = Path(self.checkpoint_dir) / f"unet-{self.random_state}-{{training}}.safetensors"
        with torch_threads(self.n_threads):
            fitted = fit_network(
                network,
                examples,
                dice_cross_entropy,
                training,
                prepare_batch=masks_from_images,
                validation=validation,
                seed=self.random_state,
                device=self.device,
                checkpoint=checkpoint,
                description="Training a U-Net",
            )
        self.networks_ = [{name: value.numpy().copy() for name, value in network.state_dict().items()}]
        return fitted.history

    def _network(self):
        """Return a U-Net with weights drawn from the random state of torch."""
        from monai.networks.nets import UNet  # late: takes four seconds

        n_channels = (1 if self._image_names() is None else len(self._image_names())) * self._n_slices()
        n_spatial = 3 if self.dimensions == 3 else 2
        features = UNet(
            spatial_dims=n_spatial,
            in_channels=n_channels,
            out_channels=self.channels[0],  # of one, MONAI's last normalization would fix the scale of the logits
            channels=tuple(self.channels),
            strides=(2,) * (len(self.channels) - 1),
            num_res_units=2,
            norm="instance",
        )
        last = nn.Conv3d if n_spatial == 3 else nn.Conv2d
        return nn.Sequential(features, last(self.channels[0], 1, 1))

    def _each_probability(self, cases):
        """Yield the probabilities of each case on the voxels of its image, float32 of shape (z, y, x)."""
        check_is_fitted(self, "networks_")
        cases = as_cases(cases)
        with torch.random.fork_rng(devices=[]):
            network = self._network()
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in self.networks_[0].items()})
        network = to_channels_last(network, chosen_device(self.device)).eval()
        grid = self._grid()
        for case in with_progress(cases, "Segmenting", len(cases), "cases"):
            lesions, axis = grid.lesions(case, self._image_names())
            with torch_threads(self.n_threads), torch.inference_mode():
                found = self._on_network_grid(network, grid.image(lesions))
                values = interpolated(found, lesions[0].roi.shape)[0].numpy()
            yield np.ascontiguousarray(np.moveaxis(values, 0, axis))

    def _on_network_grid(self, network, image):
        """Return the probabilities (z, y, x) of an image (channels, z, y, x), averaged over overlapping patches."""
        from monai.inferers import sliding_window_inference  # late: takes four seconds

        fill = float(image.min())
        size = self._window()
        if self.dimensions == 3:
            images = image[None]
        else:  # every slice, with its neighbours, is an image of a batch
            slices = range(image.shape[1])
            shape = (size[0], *image.shape[2:])
            images = torch.stack([cut(image, (z - size[0] // 2, 0, 0), shape, fill).flatten(0, 1) for z in slices])
            size = size[1:]
        found = sliding_window_inference(
            images.to(next(network.parameters()).device),
            roi_size=size,
            sw_batch_size=_AT_ONCE,
            predictor=lambda patches: network(patches).sigmoid(),
            overlap=self.overlap,
            mode="gaussian",
            cval=fill,
        )
        return found.cpu()[0, 0] if self.dimensions == 3 else found.cpu()[:, 0]

    def _mask(self, probability):
        mask = probability >= 0.5
        return largest_part(mask) if self.keep_largest else mask

    def _grid(self):
        return NetworkGrid(tuple(self.spacing_mm_.tolist()), self.intensity_range, self.dimensions == 3)

    def _image_names(self):
        return [self.image] if isinstance(self.image, str) else self.image

    def _n_slices(self):
        return _N_SLICES if self.dimensions == "2.5d" else 1

    def _plan(self):
        return segmentation_training() if self.training is None else self.training

    def _window(self):
        """Return the size of a patch along z, y and x; of slices the first is the number of those seen together."""
        n_axes = 3 if self.dimensions == 3 else 2
        given = _SIZES[self.dimensions] if self.patch_size is None else self.patch_size
        size = (int(given),) * n_axes if is_count(given) else tuple(int(length) for length in given)
        return size if self.dimensions == 3 else (self._n_slices(), *size)

    def _spacing_of_network(self, cases):
        """Return the voxel size that is given, or the median of the cases; slices keep their distance."""
        if self.spacing_mm is not None:
            spacing_mm = np.broadcast_to(np.asarray(self.spacing_mm, dtype=float), 3).copy()
        else:
            grid = NetworkGrid((0, 0, 0), self.intensity_range, self.dimensions == 3)
            spacing_mm = np.median([grid.lesions(case, self._image_names())[0][0].spacing_mm for case in cases], axis=0)
        if self.dimensions != 3:
            spacing_mm[0] = 0
        return spacing_mm

    def _held_out(self, cases):
        """Return which cases are held out to choose the best epoch; patients are not split."""
        fraction = self._plan().held_out_fraction
        patients = [str(case.patient) for case in cases]
        n_held_out = round(fraction * len(set(patients)))
        is_held_out = np.zeros(len(cases), dtype=bool)
        if n_held_out:
            split = GroupShuffleSplit(1, test_size=n_held_out, random_state=self.random_state)
            is_held_out[next(split.split(patients, groups=patients))[1]] = True
        return is_held_out

    def _check_parameters(self):
        require_option(self.dimensions, DIMENSIONS, self, "dimensions")
        self._plan().check(type(self).__name__)
        augmentation = self._plan().augmentation
        is_known = augmentation is None or isinstance(augmentation, Augmentation)
        require(is_known, self, "training", "a plan with an Augmentation or None", augmentation)
        is_range = self.intensity_range == "z-score" if isinstance(self.intensity_range, str) else False
        step = 2 ** (len(self.channels) - 1) if is_sequence(self.channels) else 1
        n_axes = 3 if self.dimensions == 3 else 2
        for name, allowed, is_allowed in (
            ("spacing_mm", "None or one or three floats >= 0", _are_spacings(self.spacing_mm)),
            ("intensity_range", "'z-score' or (low, high)", is_range or are_limits(self.intensity_range)),
            ("channels", "two or more ints >= 1", _are_counts(self.channels, 1) and len(self.channels) > 1),
            ("patch_size", f"multiples of {step}, one or {n_axes}", self._is_window(step, n_axes)),
            ("image", "None, a name or a list of names", _are_names(self._image_names())),
            ("overlap", "a float >= 0 and < 1", is_fraction(self.overlap)),
            ("keep_largest", "True or False", is_flag(self.keep_largest)),
            ("random_state", "an int >= 0", is_count(self.random_state)),
            ("n_threads", "None or an int >= 1", self.n_threads is None or is_count(self.n_threads, 1)),
        ):
            require(is_allowed, self, name, allowed)

    def _is_window(self, step, n_axes):
        given = self.patch_size
        if given is None:
            return all(length % step == 0 for length in self._window()[-n_axes:])
        lengths = (given,) if is_count(given, 1) else given
        right_number = is_count(given, 1) or (_are_counts(given, 1) and len(given) == n_axes)
        return right_number and all(length % step == 0 for length in lengths)


def _are_counts(values, least):
    return is_sequence(values) and all(is_count(value, least) for value in values)


def _are_names(names):
    return names is None or (is_sequence(names) and all(isinstance(name, str) for name in names))


def _are_spacings(spacing_mm):
    if spacing_mm is None or is_positive(spacing_mm):
        return True
    return is_sequence(spacing_mm) and len(spacing_mm) == 3 and all(is_non_negative(step) for step in spacing_mm)
