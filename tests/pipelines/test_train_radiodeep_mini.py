import hashlib
import json
import runpy

import pytest
import safetensors.torch
import torch

from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.synthetic.procedural import TARGETS, make_lesions
from radiodeep.networks.weights.loading import load_weights


@pytest.mark.slow
def test_the_pipeline_writes_weights_and_their_card(repository, tmp_path, capsys):
    main = runpy.run_path(repository / "pipelines" / "train_radiodeep_mini.py")["main"]
    settings = ["--n-images", "128", "--epochs", "3", "--seed", "1"]
    for folder in ("first", "again"):
        main(["--output", str(tmp_path / folder), *settings])
    weights = tmp_path / "first" / "radiodeep_mini.safetensors"
    card = json.loads((tmp_path / "first" / "radiodeep_mini.json").read_text())
    assert card["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card["sha256"] in capsys.readouterr().out
    assert card["training"]["epochs"] == 3
    assert weights.read_bytes() == (tmp_path / "again" / "radiodeep_mini.safetensors").read_bytes()

    network = build_network("radiodeep-mini", in_channels=1, n_classes=len(TARGETS))
    assert load_weights(network, weights, "radiodeep-mini").classifier_loaded
    images, targets = make_lesions(4, torch.Generator().manual_seed(0))
    assert network.eval()(images).shape == targets.shape
    assert safetensors.torch.load_file(weights)["stem.1.num_batches_tracked"] == 3
