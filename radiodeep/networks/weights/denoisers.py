"""Name of a denoiser, and a file or None for the packaged weights -> the network with exactly those weights."""

from pathlib import Path

from radiodeep.checks import require_option
from radiodeep.exceptions import WeightsError
from radiodeep.networks.architectures.denoisers import DENOISERS
from radiodeep.networks.weights.files import read_weights_file

PACKAGED_DENOISERS = Path(__file__).with_name("denoisers.safetensors")


def load_denoiser(name, weights=None):
    """Return a network of `DENOISERS` with its weights, and the sha256 of their file.

    Parameters
    ----------
    name : {"dncnn", "autoencoder"}
    weights : path-like, optional
        File whose weights are named "dncnn.body.0.weight" and so on, as pipelines/train_denoisers.py writes it; by
        default the one that comes with the package.

    Raises
    ------
    WeightsError
        The file is missing or damaged, or lacks weights of the network or has others of another shape.

    Examples
    --------
    >>> from radiodeep.networks.weights.denoisers import load_denoiser
    >>> network, sha256 = load_denoiser("dncnn")
    >>> len(sha256), network.training
    (64, False)
    """
    require_option(name, DENOISERS, "load_denoiser", "name")
    path = PACKAGED_DENOISERS if weights is None else Path(weights)
    stored = read_weights_file(path)
    network = DENOISERS[name]()
    state = {key.removeprefix(f"{name}."): value.float() for key, value in stored.state.items() if _is_of(key, name)}
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    if {key: tuple(value.shape) for key, value in state.items()} != expected:
        raise WeightsError(
            f"The file '{path.name}' does not hold the weights of '{name}': expected {len(expected)} tensors named "
            f"'{name}.{next(iter(expected))}' and so on, of the shapes of {type(network).__name__}. Got {len(state)}. "
            "Leave weights out to use those of the package."
        )
    network.load_state_dict(state)
    return network.eval(), stored.sha256


def _is_of(key, name):
    return key.startswith(f"{name}.")
