"""Pictures and a network of ImageNet -> the most probable of its classes, by name."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from radiodeep.cases.formats.pictures import read_colours
from radiodeep.checks import is_count, require
from radiodeep.exceptions import FileUnreadableError, InputError, WeightsError
from radiodeep.networks.architectures.registry import build_network, input_specification, is_own
from radiodeep.networks.weights.loading import input_with, load_weights
from radiodeep.progress import with_progress

_CROP_SHARE = 0.875  # of the shorter side, the usual one of ImageNet


def classify_pictures(pictures, network="resnet50", weights="pretrained", top=3):
    """Classify pictures by a network that was trained on the classes of ImageNet.

    Parameters
    ----------
    pictures : path-like or sequence of path-like
        PNG, JPEG, TIFF or BMP files, of 8 bits per channel.
    network : str, default="resnet50"
        A model of timm, or "cnn_f", "cnn_m" or "cnn_s".
    weights : path, "pretrained" or state dict, default="pretrained"
        Weights with their classifier, as in `load_weights`.
    top : int, default=3
        Number of classes per picture.

    Returns
    -------
    DataFrame
        A row per picture and class, the most probable first: `picture`, `rank` (from 1), `name`, `synset` (id in
        WordNet), `probability`.

    Raises
    ------
    InputError
        If the network has no classes of ImageNet, or a file is not a picture that can be read.
    WeightsError
        If the weights cannot be loaded, or lack the classifier.

    Notes
    -----
    A picture is resized and its centre cut out as the network's authors did, by timm's own transform and settings.

    References
    ----------
    O. Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 115 (2015) 211.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.classify_pictures("cat.jpg", "resnet50", weights="resnet50.safetensors")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.FileUnreadableError: These pictures are not files: cat.jpg. Check the paths.
    """
    paths = [pictures] if isinstance(pictures, str | PathLike) else pictures
    if not isinstance(paths, Sequence) or not all(isinstance(path, str | PathLike) for path in paths) or not paths:
        raise InputError(f"classify_pictures takes the paths of pictures. Got {type(pictures).__name__} instead.")
    require(is_count(top, 1), "classify_pictures", "top", "an int >= 1", top)
    paths = [Path(path) for path in paths]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise FileUnreadableError(f"These pictures are not files: {', '.join(missing[:4])}. Check the paths.")
    names = _class_names(network)
    classifier = build_network(network, 3, names.num_classes())
    record = load_weights(classifier, weights, network)
    if not record.classifier_loaded:
        raise WeightsError(
            f"The weights have no classifier of {names.num_classes()} classes, so that '{network}' cannot name any. "
            "Use weights that were trained on ImageNet; DeepFeatureExtractor takes features of others."
        )
    classifier.eval()
    transform = _transform(network, input_with(network, record))
    rows = []
    for path in with_progress(paths, "Classifying", len(paths), "pictures"):
        with torch.inference_mode():
            probabilities = torch.softmax(classifier(transform(_picture(path))[None]), dim=1)[0]
        best = torch.topk(probabilities, min(top, len(probabilities)))
        for rank, (probability, number) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True), 1):
            row = {"picture": str(path), "rank": rank, "name": names.index_to_description(number)}
            rows.append(row | {"synset": names.index_to_label_name(number), "probability": probability})
    return pd.DataFrame(rows)


def _class_names(network):
    """Return timm's names of the classes of a network, or raise InputError."""
    from timm.data import ImageNetInfo, infer_imagenet_subset  # late, since it is slow

    settings = _settings(network)
    n_classes = settings.num_classes if settings else 1000 * network.startswith("cnn_")
    subset = infer_imagenet_subset({"num_classes": n_classes})
    if not subset:
        raise InputError(
            f"'{network}' has no classes of ImageNet. Use a network of timm with such classes, e.g. 'resnet50'."
        )
    return ImageNetInfo(subset)


def _transform(network, specification):
    """Return what brings a picture of Pillow to the input of a network, a tensor (3, height, width)."""
    from timm.data import create_transform  # late, since it is slow

    settings = _settings(network)
    return create_transform(
        input_size=(3, specification.size, specification.size),
        interpolation=settings.interpolation if settings else "bilinear",
        crop_pct=settings.crop_pct if settings else _CROP_SHARE,
        crop_mode=settings.crop_mode if settings else "center",
        mean=specification.mean,
        std=specification.std,
    )


def _settings(network):
    """Return timm's settings of a network, or None for other networks; raise InputError for an unknown one."""
    from timm import get_pretrained_cfg  # late, since it is slow

    input_specification(network)
    return None if is_own(network) else get_pretrained_cfg(network)


def _picture(path):
    from PIL import Image  # late: without pictures nobody needs it

    colours = read_colours(path)
    if colours.dtype != np.uint8:
        raise InputError(f"'{path.name}' has {colours.dtype} pixels. Expected 8 bits per channel; convert it first.")
    return Image.fromarray(colours)
