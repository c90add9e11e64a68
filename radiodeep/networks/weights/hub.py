"""Name of a timm model -> path of its published weights on this machine."""

import threading
import urllib.error
import urllib.request
from pathlib import Path

from radiodeep.exceptions import WeightsError

_TIMEOUT_S = 1.5


def find_hub_weights(name):
    """Return the path of a timm model's weights, from the local cache of the Hugging Face hub or from the hub.

    Raise WeightsError if no weights of this model are published, or if they are not in the cache and the hub cannot be
    reached, which is decided within two seconds.
    """
    import huggingface_hub.constants
    import huggingface_hub.errors
    import timm

    settings = timm.get_pretrained_cfg(name)
    repository = settings.hf_hub_id if settings is not None else None
    if not repository:
        raise WeightsError(f"No weights of '{name}' are published on the Hugging Face hub. {_local_file(name)}")
    repository, _, revision = repository.partition("@")
    published = settings.hf_hub_filename or "pytorch_model.bin"
    file_names = dict.fromkeys((f"{Path(published).stem}.safetensors", "model.safetensors", published))
    revision = revision or None
    for file_name in file_names:
        path = huggingface_hub.try_to_load_from_cache(repository, file_name, revision=revision)
        if isinstance(path, str):
            return path
    if huggingface_hub.constants.HF_HUB_OFFLINE or not _answers(huggingface_hub.constants.ENDPOINT):
        raise WeightsError(
            f"The pretrained weights of '{name}' are not in the local cache, and the Hugging Face hub cannot be "
            f"reached. Download '{repository}' (model.safetensors) on another machine. {_local_file(name)}"
        )
    return _download(huggingface_hub, name, repository, file_names, revision)


def _download(huggingface_hub, name, repository, file_names, revision):
    problems = []
    for file_name in file_names:
        try:
            return huggingface_hub.hf_hub_download(repository, file_name, revision=revision)
        except (OSError, ValueError, huggingface_hub.errors.HfHubHTTPError) as error:
            problems.append(f"{file_name}: {error}")
    raise WeightsError(
        f"The pretrained weights of '{name}' could not be downloaded from '{repository}' ({'; '.join(problems)}). "
        + _local_file(name)
    )


def _local_file(name):
    return f'Then pass the path of that file instead of "pretrained": weights="{name.partition(".")[0]}.safetensors".'


def _answers(url):
    """Return whether a server answers; in a thread, since name resolution can block without a network."""
    answered = threading.Event()

    def ask():
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
                answered.set()
        except urllib.error.HTTPError:
            answered.set()  # an error status is an answer, too
        except (OSError, ValueError):
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_TIMEOUT_S)
    return answered.is_set()
