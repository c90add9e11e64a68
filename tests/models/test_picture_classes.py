"""Pictures are named by the classes of ImageNet, as timm itself would do with the same weights."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import ImageNetInfo, create_transform, resolve_data_config

import radiodeep as rd
from radiodeep.exceptions import FileUnreadableError, InputError, UnsupportedImageError, WeightsError

NETWORK = "resnet10t"  # 176 pixels, crop_pct 0.95


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    torch.manual_seed(0)
    network = timm.create_model(NETWORK)
    torch.nn.init.normal_(network.fc.weight, std=0.5)
    state = network.state_dict()
    save_file(state, folder / "weights.safetensors")
    save_file(
        {name: value for name, value in state.items() if not name.startswith("fc.")}, folder / "headless.safetensors"
    )
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (90, 140, 3), dtype=np.uint8)).save(folder / "wide.png")
    Image.fromarray(rng.integers(0, 256, (200, 180), dtype=np.uint8)).save(folder / "grey.png")
    return folder


def test_the_classes_are_those_of_timm_with_its_own_transform(folder):
    paths = [folder / "wide.png", folder / "grey.png"]
    table = rd.classify_pictures(paths, NETWORK, folder / "weights.safetensors", top=4)
    assert table.columns.tolist() == ["picture", "rank", "name", "synset", "probability"]
    assert table["rank"].tolist() == [1, 2, 3, 4] * 2
    network = timm.create_model(NETWORK, checkpoint_path=str(folder / "weights.safetensors")).eval()
    transform = create_transform(**resolve_data_config({}, model=network))
    names = ImageNetInfo()
    for path, (_, rows) in zip(paths, table.groupby("picture", sort=False), strict=True):
        with torch.inference_mode():
            expected = network(transform(Image.open(path).convert("RGB"))[None]).softmax(dim=1)[0].numpy()
        best = np.argsort(-expected)[:4]
        assert rows["synset"].tolist() == [names.index_to_label_name(int(number)) for number in best]
        assert rows["name"].tolist() == [names.index_to_description(int(number)) for number in best]
        np.testing.assert_allclose(rows["probability"], expected[best], rtol=1e-5)


def test_weights_without_a_classifier_and_networks_without_its_classes_are_refused(folder):
    with pytest.raises(WeightsError, match="no classifier of 1000 classes, so that 'resnet10t' cannot name any"):
        rd.classify_pictures(folder / "wide.png", NETWORK, folder / "headless.safetensors")
    for name in ("radiodeep-mini", "vit_small_patch14_dinov2"):
        with pytest.raises(InputError, match=f"'{name}' has no classes of ImageNet"):
            rd.classify_pictures(folder / "wide.png", name, folder / "weights.safetensors")
    with pytest.raises(InputError, match="Unknown network 'resnet17'"):
        rd.classify_pictures(folder / "wide.png", "resnet17", folder / "weights.safetensors")


def test_files_that_are_not_pictures_of_8_bits_are_errors(folder):
    (folder / "text.png").write_text("x")
    Image.fromarray(np.full((20, 20), 1000, np.uint16)).save(folder / "deep.png")
    weights = folder / "weights.safetensors"
    with pytest.raises(UnsupportedImageError, match="'text.png' is not a picture. Expected PNG, JPEG"):
        rd.classify_pictures(folder / "text.png", NETWORK, weights)
    with pytest.raises(InputError, match="'deep.png' has .* pixels. Expected 8 bits"):
        rd.classify_pictures(folder / "deep.png", NETWORK, weights)
    with pytest.raises(FileUnreadableError, match="These pictures are not files: [^,]*none.png, [^,]*. Check"):
        rd.classify_pictures([folder / "wide.png", folder / "none.png", folder], NETWORK, weights)
    with pytest.raises(InputError, match="takes the paths of pictures. Got list instead"):
        rd.classify_pictures([], NETWORK, weights)
    with pytest.raises(InputError, match="The 'top' parameter of classify_pictures must be an int >= 1. Got 0"):
        rd.classify_pictures(folder / "wide.png", NETWORK, weights, top=0)
