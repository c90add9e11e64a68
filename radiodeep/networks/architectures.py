"""A name goes in; a `torch.nn.Module` comes out, and a description of the images that it wants."""

import difflib
from dataclasses import dataclass

import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.cnn_f import CnnF
from radiodeep.networks.mini import Mini
from radiodeep.networks.study_networks import Arch1, Arch2, Arch3


@dataclass(frozen=True)
class NetworkInput:
    """The images that a network was made for.

    Attributes
    ----------
    size : int
        Side of its square input in pixels.
    channels : int
    mean, std : tuple of float, one per channel
        `(image - mean) / std` is what the network wants of an image whose intensities lie in 0..1.
    layer : str or None
        The layer whose values are its customary features; None is the pooled layer before the classifier.
    fixed_size : bool
        The network refuses every other size.
    """

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layer: str | None = None
    fixed_size: bool = False

    def images(self, planes):
        """Bring grey or colour images of 0..1 to the channels and the scale of the network.

        Parameters
        ----------
        planes : float32 ndarray of shape (n, 1, height, width) or (n, channels, height, width)
            One plane goes to every channel.

        Returns
        -------
        tensor of shape (n, channels, height, width)

        Raises
        ------
        InputError
            The number of planes is another.
        """
        images = torch.from_numpy(planes)
        if images.ndim != 4 or images.shape[1] not in (1, self.channels):
            raise InputError(f"The network takes images of 1 or {self.channels} planes. Got shape {planes.shape}.")
        if images.shape[1] == 1 and len(set(self.mean)) == len(set(self.std)) == 1:
            return ((images - self.mean[0]) / self.std[0]).expand(-1, self.channels, -1, -1)  # one plane in memory
        return self.normalize(images.expand(-1, self.channels, -1, -1))

    def normalize(self, images):
        """Bring images of 0..1 to the scale of the network.

        Parameters
        ----------
        images : float tensor of shape (n, channels, height, width)

        Returns
        -------
        tensor of the same shape

        Raises
        ------
        InputError
            The number of channels is another.
        """
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise InputError(
                f"Images must have shape (n, {self.channels}, height, width). Got {tuple(images.shape)} instead."
            )
        mean, std = (images.new_tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return (images - mean) / std


def _one_logit_for_two(network_class):
    """Return a builder for networks which tell two classes by one output."""

    def build(in_channels, n_classes):
        return network_class(in_channels, 1 if n_classes == 2 else n_classes)

    return build


_STUDY_INPUT = NetworkInput(100, 3, (0.0,) * 3, (1.0,) * 3, fixed_size=True)
_OWN = {
    "radiodeep-mini": (Mini, NetworkInput(64, 1, (0.0,), (1.0,))),
    # CNN-F was trained on 0..255 minus the mean colour, without division.
    "cnn_f": (CnnF, NetworkInput(224, 3, (122.80 / 255, 114.89 / 255, 101.57 / 255), (1 / 255,) * 3, "fc7", True)),
    "arch1": (_one_logit_for_two(Arch1), _STUDY_INPUT),
    "arch2": (_one_logit_for_two(Arch2), _STUDY_INPUT),
    "arch3": (_one_logit_for_two(Arch3), _STUDY_INPUT),
}


def build_network(name, in_channels=3, n_classes=2):
    """Build a network by name, with random weights as its modules draw them.

    Parameters
    ----------
    name : str
        "radiodeep-mini", "cnn_f", "arch1", "arch2", "arch3", or any model of timm.
    in_channels : int, default=3
        The packaged weights of "radiodeep-mini" are for 1.
    n_classes : int, default=2
        Number of outputs; "arch1", "arch2" and "arch3" have one output for two classes, whose sigmoid is the
        probability of the second. 0 leaves the classifier out: the network ends in its pooled features.

    Returns
    -------
    torch.nn.Module
        In training mode; (n, in_channels, height, width) -> (n, outputs).

    Raises
    ------
    InputError
        No network has this name; the message lists similar ones.

    See Also
    --------
    radiodeep.networks.weights.load_weights : Trained weights for it.

    Examples
    --------
    >>> from radiodeep.networks.architectures import build_network
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
        return _OWN[name][0](in_channels, n_classes)
    return _timm_with(name).create_model(name, num_classes=n_classes, in_chans=in_channels)


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
    >>> from radiodeep.networks.architectures import input_specification
    >>> wanted = input_specification("cnn_f")
    >>> wanted.size, wanted.layer
    (224, 'fc7')
    """
    if name in _OWN:
        return _OWN[name][1]
    settings = _timm_with(name).get_pretrained_cfg(name)
    if settings is None:  # a model that nobody has published weights for
        return NetworkInput(224, 3, (0.5,) * 3, (0.5,) * 3)
    channels, size = settings.input_size[0], settings.input_size[-1]
    return NetworkInput(size, channels, settings.mean, settings.std, fixed_size=settings.fixed_input_size)


def first_channels(network):
    """Return how many channels the first convolution of a network takes; None if it has no convolution."""
    convolutions = (module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    first = next(convolutions, None)
    return None if first is None else first.in_channels


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
