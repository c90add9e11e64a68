"""Network name -> `torch.nn.Module` and the description of its input."""

from dataclasses import replace
from functools import partial

import torch

from radiodeep.checks import did_you_mean, is_count, require
from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.arch3d import Arch3d
from radiodeep.networks.architectures.cnn_f import CnnF, CnnM, CnnS
from radiodeep.networks.architectures.mini import Mini, Mini3d
from radiodeep.networks.architectures.network_input import NetworkInput
from radiodeep.networks.architectures.segresnet import SegResNetEncoder
from radiodeep.networks.architectures.slice_networks import READERS, Arch1Slices, Arch2Slices, Arch3Slices
from radiodeep.networks.architectures.study_networks import Arch1, Arch2, Arch3
from radiodeep.networks.architectures.swin_unetr import SwinUnetrEncoder
from radiodeep.networks.architectures.teaching_networks import Mnist, MnistContest
from radiodeep.networks.architectures.unet3d import UNet3dEncoder
from radiodeep.networks.architectures.vit3d import VisionTransformer3d
from radiodeep.networks.architectures.volumetric import VolumetricResNet
from radiodeep.networks.published import PUBLISHED


def _dinov2(in_channels, n_outputs, patch, size):
    """Return the base network of DINOv2, of timm, for another patch and image."""
    timm = _import_timm_for("vit_base_patch14_dinov2")
    settings = {"patch_size": patch, "img_size": size, "in_chans": in_channels, "num_classes": n_outputs}
    return timm.create_model("vit_base_patch14_dinov2", **settings)


def _published_input(network):
    """Return the `NetworkInput` of a `PublishedNetwork`."""
    shared = ("size", "channels", "fixed_size", "dimensions", "spacing_mm", "orientation", "intensity_range")
    scale = {name: (getattr(network, name),) * network.channels for name in ("mean", "std")}
    settings = {name: getattr(network, name) for name in (*shared, "standardize")}
    return NetworkInput(**settings, **scale)


_STUDY_INPUT = NetworkInput(100, 3, (0.0,) * 3, (1.0,) * 3, fixed_size=True)
_SLICES_INPUT = replace(_STUDY_INPUT, sequence=True)
_DIGIT_INPUT = NetworkInput(28, 1, (0.0,), (1.0,), fixed_size=True)
# CNN-F, CNN-M and CNN-S were trained on intensities 0..255 minus the mean colour, without division.
_CHATFIELD_MEAN = (122.80 / 255, 114.89 / 255, 101.57 / 255)
_CHATFIELD_INPUT = NetworkInput(224, 3, _CHATFIELD_MEAN, (1 / 255,) * 3, layer="fc7", fixed_size=True)
# MedicalNet was trained on resized, standardized whole volumes; this size and spacing are our choice for lesions.
_MEDICALNET_INPUT = NetworkInput(64, 1, (0.0,), (1.0,), dimensions=3, spacing_mm=1.0, standardize=True)
_FCIB_INPUT = NetworkInput(50, 1, (-1024.0,), (3072.0,), dimensions=3, spacing_mm=1.0, lowest=-1024.0)
_FCIB = {"bottleneck": True, "width": 128, "shortcut_bias": True, "dilated": False}
_ARCHITECTURES = {  # name: (class or function of (in_channels, n_outputs), NetworkInput)
    "radiodeep-mini": (Mini, NetworkInput(64, 1, (0.0,), (1.0,), last_activation="mixture.2")),
    "radiodeep-mini-3d": (Mini3d, NetworkInput(24, 1, (0.0,), (1.0,), dimensions=3, last_activation="mixture.2")),
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
_PUBLISHED_CLASSES = {
    "ct-fm": SegResNetEncoder,
    "vista3d": partial(SegResNetEncoder, filters=48, norm="instance"),
    "suprem-unet": UNet3dEncoder,
    "models-genesis": UNet3dEncoder,
    "rad-dino": partial(_dinov2, patch=14, size=518),
    "curia": partial(_dinov2, patch=16, size=512),
    "brainiac": VisionTransformer3d,
    "voco-b": partial(SwinUnetrEncoder, width=48),
    "voco-l": partial(SwinUnetrEncoder, width=96),
    "voco-h": partial(SwinUnetrEncoder, width=192),
}
_ARCHITECTURES |= {name: (_PUBLISHED_CLASSES[name], _published_input(facts)) for name, facts in PUBLISHED.items()}
_SINGLE_LOGIT = tuple(name for name in _ARCHITECTURES if name.startswith("arch"))


def build_network(name, in_channels=3, n_classes=2, image_size=None, *, single_logit_for_binary=True):
    """Build a network by name, with freshly initialized weights.

    Parameters
    ----------
    name : str
        Any timm model, or one of these:

        - "radiodeep-mini", "radiodeep-mini-3d": small networks for images and for cubes whose weights come with the
          package.
        - "cnn_f", "cnn_m", "cnn_s": the networks of Chatfield et al., with 4096 features in "fc7".
        - "arch1", "arch2", "arch3": the small networks of the lung nodule studies.
        - "arch2-slices", "arch1-lstm", "arch1-gru", "arch1-attention", "arch3-lstm", "arch3-gru", "arch3-attention":
          the same layers applied to each slice of a lesion, followed by a recurrent or attention layer over slices.
        - "arch3d": a small network for cubes, of no published study.
        - "mnist", "mnist-contest": two teaching networks for digits of 28 x 28 pixels.
        - "medicalnet_resnet10", "..18", "..34", "..50": for cubes; 512 features (2048 for the last). Stages 3 and 4
          are dilated and keep their size, as in training. Programs that load these weights into a network whose
          stages are strided compute other features.
        - "fcib_resnet50": for cubes of 50 voxels at 1 mm, in HU; 4096 features. The trunk of the foundation model
          for cancer imaging biomarkers.
        - "ct-fm", "vista3d", "suprem-unet", "models-genesis", "rad-dino", "curia", "brainiac", "voco-b", "voco-l",
          "voco-h": see `published_networks`.
    in_channels : int, default=3
        The packaged weights and those of networks for cubes need 1.
    n_classes : int, default=2
        Number of outputs. Networks whose names begin with "arch" have a single output for two classes, the logit of
        the second. 0 omits the classifier, so that the network returns its pooled features.
    image_size : int, optional
        Side of the images for timm models of fixed size that can be built for another one, such as
        "vit_small_patch14_dinov2" for 224 instead of 518. Ignored by all others.
    single_logit_for_binary : bool, default=True
        If False, networks whose names begin with "arch" have two outputs for `n_classes=2`, as regression needs.

    Returns
    -------
    torch.nn.Module
        In training mode. Maps images (n, in_channels, height, width), cubes (n, in_channels, z, y, x) or slices
        (n, length, in_channels, height, width) to (n, n_outputs).

    Raises
    ------
    InputError
        If no network has this name (the message lists similar ones), or it cannot be built for this image size.

    See Also
    --------
    radiodeep.networks.weights.loading.load_weights : Load trained weights into it.

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
    radiodeep.exceptions.InputError: Unknown network 'resnet17'. ...
    """
    require(is_count(in_channels, 1), "build_network", "in_channels", "an int >= 1", in_channels)
    require(is_count(n_classes, 0), "build_network", "n_classes", "an int >= 0", n_classes)
    if name in _ARCHITECTURES:
        make_network, _ = _ARCHITECTURES[name]
        n_outputs = 1 if single_logit_for_binary and n_classes == 2 and name in _SINGLE_LOGIT else n_classes
        return make_network(in_channels, n_outputs)
    specification = input_specification(name)
    resized = {}
    if specification.fixed_size and image_size not in (None, specification.size):
        resized = {"img_size": image_size}
    try:
        return _import_timm_for(name).create_model(name, num_classes=n_classes, in_chans=in_channels, **resized)
    except (TypeError, ValueError, AssertionError) as error:
        if not resized:
            raise
        raise InputError(
            f"'{name}' cannot be built for images of {image_size!r} x {image_size!r} pixels. Omit image_size and "
            f"resize the images to {specification.size} x {specification.size} pixels."
        ) from error


def input_specification(name):
    """Return the `NetworkInput` that the network of this name expects; raise InputError if there is no such network."""
    if name in _ARCHITECTURES:
        return _ARCHITECTURES[name][1]
    settings = _import_timm_for(name).get_pretrained_cfg(name)
    if settings is None:  # no published weights
        return NetworkInput(224, 3, (0.5,) * 3, (0.5,) * 3)
    channels, size = settings.input_size[0], settings.input_size[-1]
    return NetworkInput(size, channels, settings.mean, settings.std, fixed_size=settings.fixed_input_size)


def first_convolution(network):
    """Return name and module of the first convolution of a network, or (None, None)."""
    kinds = (torch.nn.Conv2d, torch.nn.Conv3d)
    return next(((name, module) for name, module in network.named_modules() if isinstance(module, kinds)), (None, None))


def first_channels(network):
    """Return the number of input channels of the first convolution, or None if there is no convolution."""
    _, convolution = first_convolution(network)
    return None if convolution is None else convolution.in_channels


def is_own(name):
    """Return whether the network is defined in this package rather than in timm."""
    return name in _ARCHITECTURES


def _import_timm_for(name):
    """Return the package timm, imported late since that is slow, or raise InputError if it does not know the model."""
    import timm

    # `is_model` ignores the tag, which may be unknown.
    known = isinstance(name, str) and timm.is_model(name)
    tags = timm.list_pretrained(f"{name.partition('.')[0]}.*") if known and "." in name else [name]
    if known and name in tags:
        return timm
    hint = did_you_mean(str(name), [*_ARCHITECTURES, *timm.list_models(), *(tags if known else [])], n=4)
    raise InputError(f"Unknown network {name!r}. Expected {', '.join(_ARCHITECTURES)}, or a timm model.{hint}")
