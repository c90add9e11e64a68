import hashlib
import json
import runpy

import pytest
import safetensors.torch
import torch

from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.synthetic import volumes
from radiodeep.networks.synthetic.procedural import TARGETS, make_lesions
from radiodeep.networks.synthetic.volumes import VOLUME_TARGETS, make_volumes
from radiodeep.networks.weights.loading import load_weights


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "targets", "make", "n_images"),
    [("radiodeep-mini", TARGETS, make_lesions, 128), ("radiodeep-mini-3d", VOLUME_TARGETS, make_volumes, 64)],
)
def test_the_pipeline_writes_weights_and_their_card(
    repository, tmp_path, capsys, monkeypatch, name, targets, make, n_images
):
    # Fewer lesions to standardize the targets of cubes by, and to judge the network on.
    monkeypatch.setattr(volumes, "make_volumes", lambda n, generator: make_volumes(min(n, 100), generator))
    main = runpy.run_path(repository / "pipelines" / "train_radiodeep_mini.py")["main"]
    settings = ["--network", name, "--n-images", str(n_images), "--epochs", "3", "--seed", "1"]
    for folder in ("first", "again"):
        main(["--output", str(tmp_path / folder), *settings])
    file = f"{name.replace('-', '_')}.safetensors"
    weights = tmp_path / "first" / file
    card = json.loads(weights.with_suffix(".json").read_text())
    assert (card["network"], card["file"]) == (name, file)
    assert card["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card["sha256"] in capsys.readouterr().out
    assert card["training"]["epochs"] == 3
    if name == "radiodeep-mini":  # convolutions of cubes round in an order that some processors change from run to run
        assert weights.read_bytes() == (tmp_path / "again" / file).read_bytes()

    network = build_network(name, in_channels=1, n_classes=len(targets))
    assert load_weights(network, weights, name).classifier_loaded
    images, values = make(4, torch.Generator().manual_seed(0))
    assert network.eval()(images).shape == values.shape
    assert safetensors.torch.load_file(weights)["stem.1.num_batches_tracked"] == 3
