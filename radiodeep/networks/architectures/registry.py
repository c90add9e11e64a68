"""A name goes in; a `torch.nn.Module` comes out, and a description of the images that it wants."""

import difflib
from dataclasses import dataclass, replace
from functools import partial

import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.arch3d import Arch3d
from radiodeep.networks.architectures.cnn_f import CnnF, CnnM, CnnS
from radiodeep.networks.architectures.mini import Mini
from radiodeep.networks.architectures.slice_networks import READERS, Arch1Slices, Arch2Slices, Arch3Slices
from radiodeep.networks.architectures.study_networks import Arch1, Arch2, Arch3
from radiodeep.networks.architectures.teaching_networks import Mnist, MnistContest
from radiodeep.networks.architectures.volumetric import VolumetricResNet


@dataclass(frozen=True)
class NetworkInput:
    """The images that a network was made for.

    Attributes
    ----------
    size : int
        Side of its square or cubic input in pixels.
    channels : int
    mean, std : tuple of float, one per channel
        `(image - mean) / std` is what the network wants of an image whose intensities lie in 0..1; a network for
        cubes with a `spacing_mm` wants it of the image's own intensities, for example in HU.
    layer : str or None
        The layer whose values are its customary features; None is the pooled layer before the classifier.
    fixed_size : bool
        The network refuses every other size.
    dimensions : {2, 3}
        Of its images.
    spacing_mm : float or None
        Distance of a cube's voxels along every axis; None where that is left to the user.
    lowest : float or None
        Intensities below are raised to it first.
    standardize : bool
        Each image for itself is brought to a mean of 0 and a standard deviation of 1 first.
    sequence : bool
        All slices of a lesion are one example, (n, length, channels, height, width), with NaN in the slices that a
        lesion has fewer than the longest.
    last_activation : str or None
        The activation function that its pooled features have gone through, where features before it can be asked for.
    """

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layer: str | None = None
    fixed_size: bool = False
    dimensions: int = 2
    spacing_mm: float | None = None
    lowest: float | None = None
    standardize: bool = False
    sequence: bool = False
    last_activation: str | None = None

    def images(self, planes):
        """Bring grey or colour images of 0..1 to the channels and the scale of the network.

        Parameters, shapes and errors are those of `on_channels`.
        """
        return self.normalize(self.on_channels(planes))

    def on_channels(self, planes):
        """Bring grey or colour images to the channels of the network, not to its scale.

        Parameters
        ----------
        planes : float32 ndarray of shape (n, 1, height, width) or (n, channels, height, width)
            One plane goes to every channel and stays one in memory. Cubes have shape (n, 1, z, y, x).

        Returns
        -------
        tensor of shape (n, channels, height, width)

        Raises
        ------
        InputError
            The number of planes is another.
        """
        images = torch.from_numpy(planes)
        if images.ndim != self.dimensions + 2 or images.shape[1] not in (1, self.channels):
            raise InputError(f"The network takes images of 1 or {self.channels} planes. Got shape {planes.shape}.")
        return images.expand(-1, self.channels, *images.shape[2:])

    def normalize(self, images):
        """Bring images of 0..1, or cubes with their own intensities, to the scale of the network.

        Parameters
        ----------
        images : float tensor of shape (n, channels, height, width), or (n, channels, z, y, x)
            Of a network for sequences (n, length, channels, height, width), too.

        Returns
        -------
        tensor of the same shape

        Raises
        ------
        InputError
            The number of channels is another.
        """
        if self.sequence and images.ndim == 5:
            return self.normalize(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        if images.ndim != self.dimensions + 2 or images.shape[1] != self.channels:
            space = "height, width" if self.dimensions == 2 else "z, y, x"
            raise InputError(
                f"Images must have shape (n, {self.channels}, {space}). Got {tuple(images.shape)} instead."
            )
        if set(self.mean) == {0.0} and set(self.std) == {1.0} and self.lowest is None and not self.standardize:
            return images
        if images.stride(1) == 0 and len(set(self.mean)) == len(set(self.std)) == 1:
            return ((images[:, :1] - self.mean[0]) / self.std[0]).expand_as(images)  # one plane in memory
        if self.lowest is not None:
            images = images.clamp(min=self.lowest)
        if self.standardize:
            space = tuple(range(1, images.ndim))
            deviation = images.std(dim=space, correction=0, keepdim=True)
            # An image of one intensity becomes zeros.
            images = (images - images.mean(dim=space, keepdim=True)) / deviation.where(deviation > 0, 1)
        mean, std = (images.new_tensor(values).view(1, -1, *[1] * self.dimensions) for values in (self.mean, self.std))
        return (images - mean) / std

    @property
    def own_units(self):
        """Whether images keep the intensities of the scanner, such as HU, until they are normalised."""
        return self.spacing_mm is not None

    def with_normalization(self, values):
        """Return the description with other `mean` and `std`, the two rows of an array (2, channels)."""
        mean, std = (tuple(map(float, row)) for row in values)
        return replace(self, mean=mean, std=std)


_STUDY_INPUT = NetworkInput(100, 3, (0.0,) * 3, (1.0,) * 3, fixed_size=True)
_SLICES_INPUT = replace(_STUDY_INPUT, sequence=True)
_DIGIT_INPUT = NetworkInput(28, 1, (0.0,), (1.0,), fixed_size=True)
# CNN-F, -M and -S were trained on 0..255 minus the mean colour, without division.
_CHATFIELD_INPUT = NetworkInput(224, 3, (122.80 / 255, 114.89 / 255, 101.57 / 255), (1 / 255,) * 3, "fc7", True)
# MedicalNet saw whole images of every spacing, resized and standardised; size and spacing are a choice for lesions.
_MEDICALNET_INPUT = NetworkInput(64, 1, (0.0,), (1.0,), dimensions=3, spacing_mm=1.0, standardize=True)
_FCIB_INPUT = NetworkInput(50, 1, (-1024.0,), (3072.0,), dimensions=3, spacing_mm=1.0, lowest=-1024.0)
_FCIB = {"bottleneck": True, "width": 128, "shortcut_bias": True, "dilated": False}
_OWN = {
    "radiodeep-mini": (Mini, NetworkInput(64, 1, (0.0,), (1.0,), last_activation="mixture.2")),
    "cnn_f": (CnnF, _CHATFIELD_INPUT),
    "cnn_m": (CnnM, _CHATFIELD_INPUT),
    "cnn_s": (CnnS, _CHATFIELD_INPUT),
    "arch1": (Arch1, _STUDY_INPUT),
    "arch2": (Arch2, _STUDY_INPUT),
    "arch3": (Arch3, _STUDY_INPUT),
    "arch2-slices": (Arch2Slices, _SLICES_INPUT),
    **{
        f"{name}-{reader}": (partial(network_class, reader=reader), _SLICES_INPUT)
        for name, network_class in (("arch1", Arch1Slices), ("arch3", Arch3Slices))
        for reader in READERS
    },
    "arch3d": (Arch3d, NetworkInput(32, 1, (0.0,), (1.0,), dimensions=3)),
    "mnist": (Mnist, _DIGIT_INPUT),
    "mnist-contest": (MnistContest, _DIGIT_INPUT),
    "medicalnet_resnet10": (partial(VolumetricResNet, blocks=(1, 1, 1, 1)), _MEDICALNET_INPUT),
    "medicalnet_resnet18": (partial(VolumetricResNet, blocks=(2, 2, 2, 2), shortcut="A"), _MEDICALNET_INPUT),
    "medicalnet_resnet34": (partial(VolumetricResNet, blocks=(3, 4, 6, 3), shortcut="A"), _MEDICALNET_INPUT),
    "medicalnet_resnet50": (partial(VolumetricResNet, blocks=(3, 4, 6, 3), bottleneck=True), _MEDICALNET_INPUT),
    "fcib_resnet50": (partial(VolumetricResNet, blocks=(3, 4, 6, 3), **_FCIB), _FCIB_INPUT),
}
_ONE_FOR_TWO = tuple(name for name in _OWN if name.startswith("arch"))


def build_network(name, in_channels=3, n_classes=2, image_size=None, *, one_for_two=True):
    """Build a network by name, with random weights as its modules draw them.

    Parameters
    ----------
    name : str
        One of these, or any model of timm:

        - "radiodeep-mini": the network of the package.
        - "cnn_f", "cnn_m", "cnn_s": the networks of Chatfield et al., with 4096 features in "fc7".
        - "arch1", "arch2", "arch3": the small networks of the lung nodule studies.
        - "arch2-slices", "arch1-lstm", "arch1-gru", "arch1-attention", "arch3-lstm", "arch3-gru", "arch3-attention":
          the same layers on every slice of a lesion, then a reader over the slices.
        - "arch3d": our own small network for cubes.
        - "mnist", "mnist-contest": the networks of the lectures, for digits of 28 x 28.
        - "medicalnet_resnet10", "..18", "..34", "..50": for cubes; 512 features, 2048 of the last. Stages 3 and 4 have
          filters with gaps and keep their size, as when their weights were learned. Programs that load the same
          weights into a network whose stages shrink compute other features.
        - "fcib_resnet50": for cubes of 50 voxels at 1 mm, in HU; 4096 features. The trunk of the foundation model
          for cancer imaging biomarkers.
    in_channels : int, default=3
        The packaged weights of "radiodeep-mini" are for 1, and so are those of the networks for cubes.
    n_classes : int, default=2
        Number of outputs; those whose names begin with "arch" have one output for two classes, whose sigmoid is the
        probability of the second. 0 leaves the classifier out: the network ends in its pooled features.
    image_size : int, optional
        Side of the images for networks of timm which take one size, but can be built for another, such as
        "vit_small_patch14_dinov2" for 224 in place of 518. All others ignore it.
    one_for_two : bool, default=True
        False gives these, too, two outputs for 2: two numbers are not two classes.

    Returns
    -------
    torch.nn.Module
        In training mode; (n, in_channels, height, width), for cubes (n, in_channels, z, y, x), for slices
        (n, length, in_channels, height, width), -> (n, outputs).

    Raises
    ------
    InputError
        No network has this name (the message lists similar ones), or not for images of this size.

    See Also
    --------
    radiodeep.networks.weights.loading.load_weights : Trained weights for it.

    References
    ----------
    K. Chatfield et al., Return of the Devil in the Details, BMVC 2014. S. Chen et al., Med3D, arXiv:1904.00625 (2019).
    S. Pai et al., Foundation model for cancer imaging biomarkers, Nature Machine Intelligence 6 (2024).

    Examples
    --------
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> for name in ("arch1", "arch2", "arch3"):
    ...     print(sum(weights.numel() for weights in build_network(name).parameters()))
    841681
    845033
    39553
    >>> build_network("resnet17")
    Traceback (most recent call last):
    radiodeep.exceptions.InputError: There is no network 'resnet17'. ...
    """
    for parameter, value, lowest in (("in_channels", in_channels, 1), ("n_classes", n_classes, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
            raise InputError(
                f"The '{parameter}' parameter of build_network must be an int >= {lowest}. Got {value!r} instead."
            )
    if name in _OWN:
        n_outputs = 1 if one_for_two and n_classes == 2 and name in _ONE_FOR_TWO else n_classes
        return _OWN[name][0](in_channels, n_outputs)
    wanted = input_specification(name)
    other = {"img_size": image_size} if wanted.fixed_size and image_size not in (None, wanted.size) else {}
    try:
        return _timm_with(name).create_model(name, num_classes=n_classes, in_chans=in_channels, **other)
    except (TypeError, ValueError, AssertionError) as error:
        if not other:
            raise
        raise InputError(
            f"'{name}' cannot be built for images of {image_size!r} x {image_size!r} pixels. Leave image_size out, "
            f"and resize the images to its own {wanted.size} x {wanted.size}."
        ) from error


def input_specification(name):
    """Return what the network of this name wants to be given.

    Parameters
    ----------
    name : str
        As in `build_network`.

    Returns
    -------
    NetworkInput

    Raises
    ------
    InputError
        No network has this name.

    Examples
    --------
    >>> from radiodeep.networks.architectures.registry import input_specification
    >>> wanted = input_specification("cnn_f")
    >>> wanted.size, wanted.layer
    (224, 'fc7')
    >>> wanted = input_specification("fcib_resnet50")
    >>> wanted.dimensions, wanted.size, wanted.spacing_mm
    (3, 50, 1.0)
    """
    if name in _OWN:
        return _OWN[name][1]
    settings = _timm_with(name).get_pretrained_cfg(name)
    if settings is None:  # a model that nobody has published weights for
        return NetworkInput(224, 3, (0.5,) * 3, (0.5,) * 3)
    channels, size = settings.input_size[0], settings.input_size[-1]
    return NetworkInput(size, channels, settings.mean, settings.std, fixed_size=settings.fixed_input_size)


def first_convolution(network):
    """Return the name and the module of the first convolution of a network; (None, None) if it has none."""
    kinds = (torch.nn.Conv2d, torch.nn.Conv3d)
    return next(((name, module) for name, module in network.named_modules() if isinstance(module, kinds)), (None, None))


def first_channels(network):
    """Return how many channels the first convolution of a network takes; None if it has no convolution."""
    _, convolution = first_convolution(network)
    return None if convolution is None else convolution.in_channels


def is_own(name):
    """Say whether the network is defined here, and not in timm."""
    return name in _OWN


def _timm_with(name):
    """Return timm, which is slow to import, if it knows the model."""
    import timm

    # `is_model` cuts a tag off; the tag may still be unknown.
    known = isinstance(name, str) and timm.is_model(name)
    tags = timm.list_pretrained(f"{name.partition('.')[0]}.*") if known and "." in name else [name]
    if known and name in tags:
        return timm
    near = difflib.get_close_matches(str(name), [*_OWN, *timm.list_models(), *(tags if known else [])], n=4, cutoff=0.5)
    raise InputError(
        f"There is no network {name!r}. Expected {', '.join(_OWN)}, or a model of timm"
        + (f"; similar names: {', '.join(near)}." if near else ".")
    )
