"""A name goes in, a `torch.nn.Module` comes out, and what it wants to be fed with."""

import difflib
from dataclasses import dataclass

import torch
from torch import nn

from radiodeep.exceptions import InputError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class NetworkInput:
    """What a network was made for.

    Attributes
    ----------
    size : int
        Side of its square input in pixels.
    channels : int
    mean, std : tuple of floats, one per channel
        Subtracted from and divided into images whose intensities lie in 0..1.
    layer : str or None
        Its customary feature layer; None is the pooled layer before the classifier.
    """

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layer: str | None = None


class Mini(nn.Module):
    """The packaged network: a residual net of 64 x 64 grey images, features pooled from three depths.

    (n, 1, 64, 64) -> (n, n_outputs); `forward_features` gives (n, 192).
    """

    WIDTHS = (16, 32, 64, 96)

    def __init__(self, in_channels=1, n_outputs=12):
        super().__init__()
        first = self.WIDTHS[0]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU()
        )
        self.blocks = nn.ModuleList(
            _Residual(inner, outer) for inner, outer in zip(self.WIDTHS[:-1], self.WIDTHS[1:], strict=True)
        )
        self.head = nn.Linear(sum(self.WIDTHS[1:]), n_outputs) if n_outputs else nn.Identity()

    def forward_features(self, images):
        maps, pooled = self.stem(images), []
        for block in self.blocks:
            maps = block(maps)
            pooled.append(maps.mean(dim=(2, 3)))
        return torch.cat(pooled, dim=1)

    def forward(self, images):
        return self.head(self.forward_features(images))


class _Residual(nn.Module):
    def __init__(self, inner, outer):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.Conv2d(outer, outer, 3, padding=1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride=2, bias=False), nn.BatchNorm2d(outer))
        self.relu = nn.ReLU()

    def forward(self, maps):
        return self.relu(self.body(maps) + self.shortcut(maps))


class CnnF(nn.Module):
    """CNN-F of Chatfield et al. (2014), the network of the lung and glioblastoma studies.

    (n, 3, 224, 224) -> (n, n_classes); maps of 54, 27, 27, 13, 13, 6 pixels; `fc6` and `fc7` are 4096 wide.

    References
    ----------
    Chatfield, Simonyan, Vedaldi, Zisserman, Return of the Devil in the Details, BMVC 2014, table 1.
    """

    def __init__(self, in_channels=3, n_classes=1000):
        super().__init__()
        # The original pads a pooled map by one pixel at its end, which is what ceil_mode does here.
        pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
        self.conv1, self.relu1 = nn.Conv2d(in_channels, 64, 11, stride=4), nn.ReLU()
        self.norm1, self.pool1 = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0), nn.MaxPool2d(**pool)
        self.conv2, self.relu2 = nn.Conv2d(64, 256, 5, padding=2), nn.ReLU()
        self.norm2, self.pool2 = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0), nn.MaxPool2d(3, 2)
        self.conv3, self.relu3 = nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()
        self.conv4, self.relu4 = nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()
        self.conv5, self.relu5 = nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()
        self.pool5 = nn.MaxPool2d(3, 2)
        self.fc6, self.relu6 = nn.Linear(256 * 6 * 6, 4096), nn.ReLU()
        self.fc7, self.relu7 = nn.Linear(4096, 4096), nn.ReLU()
        self.fc8 = nn.Linear(4096, n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        maps = self.pool1(self.norm1(self.relu1(self.conv1(images))))
        maps = self.pool2(self.norm2(self.relu2(self.conv2(maps))))
        maps = self.relu4(self.conv4(self.relu3(self.conv3(maps))))
        maps = self.pool5(self.relu5(self.conv5(maps)))
        return self.relu7(self.fc7(self.relu6(self.fc6(maps.flatten(1)))))

    def forward(self, images):
        return self.fc8(self.forward_features(images))


_OWN = {
    "radiodeep-mini": (Mini, NetworkInput(64, 1, (0.5,), (0.25,))),
    # CNN-F was trained on 0..255 minus the mean colour, without division.
    "cnn_f": (CnnF, NetworkInput(224, 3, (122.80 / 255, 114.89 / 255, 101.57 / 255), (1 / 255,) * 3, "fc7")),
}


def build_network(name, in_channels=3, n_classes=2):
    """Build a network by name, with weights as its modules draw them.

    Parameters
    ----------
    name : str
        "radiodeep-mini", "cnn_f", or any model of timm.
    in_channels : int, default=3
    n_classes : int, default=2
        0 leaves the classifier out: the network ends in its pooled features.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    InputError
        No network has this name; the message lists similar ones.

    Examples
    --------
    >>> from radiodeep.networks.architectures import build_network
    >>> sum(p.numel() for p in build_network("cnn_f", n_classes=1000).parameters())
    60834536
    """
    if name in _OWN:
        return _OWN[name][0](in_channels, n_classes)
    import timm

    if not timm.is_model(name):
        near = difflib.get_close_matches(name, [*_OWN, *timm.list_models()], n=4, cutoff=0.5)
        raise InputError(
            f"There is no network '{name}'. Expected {', '.join(_OWN)} or a model of timm"
            + (f"; similar names: {', '.join(near)}." if near else ".")
        )
    return timm.create_model(name, num_classes=n_classes, in_chans=in_channels)


def input_specification(name):
    """Return the `NetworkInput` of a network: size, channels, mean, std and customary feature layer."""
    if name in _OWN:
        return _OWN[name][1]
    import timm

    build_known = timm.is_model(name) and timm.get_pretrained_cfg(name)
    if not build_known:
        return NetworkInput(224, 3, IMAGENET_MEAN, IMAGENET_STD)
    return NetworkInput(build_known.input_size[-1], 3, tuple(build_known.mean), tuple(build_known.std))
