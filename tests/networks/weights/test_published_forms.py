"""Files in the forms of published networks for medical images, and features equal to those of the original networks.

The originals are MONAI's and transformers' modules. The U-Net, which no package has, is restated from its publication.
"""

from functools import partial

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model

from radiodeep import DeepFeatureExtractor, make_phantom_cohort
from radiodeep.exceptions import InputError, MissingExtraError, WeightsError
from radiodeep.imaging.cube import cube_about
from radiodeep.imaging.intensity import scale_to_unit
from radiodeep.networks.architectures import registry
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.architectures.segresnet import SegResNetEncoder
from radiodeep.networks.architectures.swin_unetr import SwinUnetrEncoder
from radiodeep.networks.architectures.unet3d import UNet3dEncoder
from radiodeep.networks.architectures.vit3d import VisionTransformer3d
from radiodeep.networks.inference.activations import feature_gradients, forward_features
from radiodeep.networks.weights.loading import load_weights

CUBES = torch.rand(2, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))


def drawn(network, seed=0):
    """Return weights for a network, in which every scale, bias and statistic counts."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in network.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if not value.is_floating_point():
            state[key] = value
        elif value.ndim > 1:
            state[key] = noise * (2 / value[0].numel()) ** 0.5
        else:
            state[key] = noise.abs() + 0.5 if key.endswith("var") else 1 + noise / 5
    return state


def monai_networks():
    """MONAI's networks; its transformers need einops."""
    pytest.importorskip("einops")
    return pytest.importorskip("monai.networks.nets")


def under(prefix, state, **others):
    return {f"{prefix}{key}": value for key, value in state.items()} | others


def unet_features(state, cube):
    """The encoder as published, of one cube: its normalization is that of a batch in training."""
    for level in ("down_tr64", "down_tr128", "down_tr256", "down_tr512"):
        cube = cube if level == "down_tr64" else functional.max_pool3d(cube, 2)
        for layer in (0, 1):
            name = f"{level}.ops.{layer}"
            cube = functional.conv3d(cube, state[f"{name}.conv1.weight"], state[f"{name}.conv1.bias"], padding=1)
            statistics = state[f"{name}.bn1.running_mean"].clone(), state[f"{name}.bn1.running_var"].clone()
            scale = state[f"{name}.bn1.weight"], state[f"{name}.bn1.bias"]
            cube = functional.batch_norm(cube, *statistics, *scale, training=True).relu()
    return cube.mean(dim=(2, 3, 4))


@pytest.mark.parametrize("name", ["suprem-unet", "models-genesis"])
def test_the_u_net_has_the_features_of_the_original_on_each_cube(tmp_path, name):
    network = UNet3dEncoder(filters=4)
    state = drawn(network)
    decoder = {"up_tr256.up_conv.weight": torch.ones(2, 2), "out_tr.final_conv.bias": torch.ones(1)}
    if name == "suprem-unet":
        text = {"module.organ_embedding": torch.ones(3, 4)}
        stored = {"net": under("module.backbone.", state | decoder, **text), "epoch": 3}
    else:
        stored = {"state_dict": under("module.", state | decoder)}
    torch.save(stored, tmp_path / "weights.pth")
    record = load_weights(network, tmp_path / "weights.pth", name)
    assert record.n_matched == record.n_expected == len(state) - 8  # without the counters of batches
    expected = torch.cat([unet_features(state, cube[None]) for cube in CUBES])
    torch.testing.assert_close(forward_features(network, CUBES), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(forward_features(network, CUBES[1:]), expected[1:], rtol=1e-5, atol=1e-5)


def test_weights_of_another_network_of_the_same_names_are_refused_by_their_shapes(tmp_path):
    vista3d = under("image_encoder.encoder.", drawn(SegResNetEncoder(filters=6, norm="instance")))
    torch.save(vista3d, tmp_path / "model_vista3d.pt")
    shape = r"conv_init\.weight \(expected \(4, 1, 3, 3, 3\), got \(6, 1, 3, 3, 3\)\)"
    with pytest.raises(WeightsError, match=rf"do not belong to 'ct-fm': .* Wrong shape: {shape}"):
        load_weights(SegResNetEncoder(filters=4), tmp_path / "model_vista3d.pt", "ct-fm")


def test_a_weight_of_the_encoder_that_has_no_place_is_named():
    state = under("encoder.", drawn(SegResNetEncoder(filters=4)))
    state["encoder.layers.4.blocks.4.conv1.weight"] = torch.ones(64, 64, 3, 3, 3)
    with pytest.raises(WeightsError, match=r"no place for 1 of them.*Unexpected: layers\.4\.blocks\.4\.conv1\.weight"):
        load_weights(SegResNetEncoder(filters=4), state, "ct-fm")


def test_a_file_that_holds_a_network_twice_is_refused():
    state = drawn(SegResNetEncoder(filters=4))
    with pytest.raises(WeightsError, match=r"holds the network 2 times: under 'student\.', 'teacher\.'\. Save"):
        load_weights(SegResNetEncoder(filters=4), under("student.", state) | under("teacher.", state), "ct-fm")
    few = {"student.conv_init.weight": state["conv_init.weight"], "teacher.conv_init.weight": torch.ones(2)}
    with pytest.raises(WeightsError, match=r"do not belong to 'ct-fm': 0 of its 135 weights match"):
        load_weights(SegResNetEncoder(filters=4), few, "ct-fm")


@pytest.mark.parametrize("source", [None, "pretrained"])
def test_the_page_of_the_weights_is_named_if_there_is_no_file(source):
    with pytest.raises(WeightsError, match=r"'ct-fm'.* file from huggingface\.co/project-lighter/ct_fm"):
        load_weights(SegResNetEncoder(filters=4), source, "ct-fm")


@pytest.mark.parametrize("network_class", [SegResNetEncoder, UNet3dEncoder])
def test_cubes_that_are_too_small_are_refused(network_class):
    with pytest.raises(InputError, match=r"Cubes must have 1\d voxels a side or more\. Got \(12, 12, 12\) instead"):
        network_class(filters=2).eval()(torch.zeros(1, 1, 12, 12, 12))


@pytest.mark.parametrize("package", ["monai", "einops"])
def test_a_swin_unetr_without_its_packages_names_the_extra(monkeypatch, package):
    monkeypatch.setattr("radiodeep.extras.is_installed", lambda name: name != package)
    with pytest.raises(MissingExtraError, match=rf'{package}, which is not installed.*"radiodeep\[segmentation\]"'):
        build_network("voco-b", in_channels=1, n_classes=0)


def test_layers_and_gradients_of_an_encoder_can_be_read():
    network = SegResNetEncoder(filters=2)
    maps = forward_features(network, CUBES, "layers.4.blocks", pool="avg")
    torch.testing.assert_close(maps, forward_features(network, CUBES))
    assert feature_gradients(network, CUBES[:1], 3).abs().max() > 0


OLD_NAMES = {"attention.q_proj": "attention.attention.query", "attention.k_proj": "attention.attention.key"}
OLD_NAMES |= {"attention.v_proj": "attention.attention.value", "attention.o_proj": "attention.output.dense"}


@pytest.mark.parametrize("names", ["transformers 4", "transformers 5", "with a head", "DINOv2"])
def test_dinov2_in_the_form_of_transformers_has_the_features_of_transformers(tmp_path, names):
    settings = {"num_attention_heads": 2, "image_size": 56, "patch_size": 14, "hidden_size": 32}
    original = Dinov2Model(Dinov2Config(num_hidden_layers=2, **settings)).eval()
    original.load_state_dict(drawn(original))
    state = original.state_dict()
    network = timm.create_model(
        "vit_base_patch14_dinov2", img_size=56, embed_dim=32, depth=2, num_heads=2, num_classes=0
    )
    if names == "DINOv2":
        load_weights(network, state, "rad-dino")
        state = dict(network.state_dict()) | {"mask_token": torch.zeros(1, 32)}
    elif names != "transformers 5":
        for new, old in OLD_NAMES.items():
            state = {key.replace(new, old): value for key, value in state.items()}
    if names == "with a head":
        state = under("dinov2.", state) | {"classifier.weight": torch.ones(2, 64)}
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    record = load_weights(network, tmp_path / "model.safetensors", "rad-dino")
    assert (record.n_matched, record.origin) == (record.n_expected, None if names == "DINOv2" else "transformers")
    images = torch.rand(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = original(images).last_hidden_state[:, 0]
    torch.testing.assert_close(forward_features(network, images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_segresnet_encoder_has_the_features_of_that_of_monai(norm):
    monai_nets = monai_networks()
    blocks = (1, 2, 2, 4, 4)
    original = monai_nets.segresnet_ds.SegResEncoder(init_filters=6, norm=norm, blocks_down=blocks).eval()
    original.load_state_dict(drawn(original))
    network = SegResNetEncoder(filters=6, norm=norm)
    load_weights(network, under("image_encoder.encoder.", original.state_dict()), "vista3d")
    with torch.inference_mode():
        expected = original(CUBES)[-1].mean(dim=(2, 3, 4))
    torch.testing.assert_close(forward_features(network, CUBES), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_transformer_for_cubes_has_the_first_patch_token_of_that_of_monai(tmp_path):
    monai_nets = monai_networks()
    original = monai_nets.ViT(1, 32, 16, hidden_size=24, mlp_dim=40, num_layers=2, num_heads=3).eval()
    original.load_state_dict(drawn(original))
    # BrainIAC was saved by MONAI 1.3, which had no cross attention.
    state = {key: value for key, value in original.state_dict().items() if "cross_attn" not in key}
    network = VisionTransformer3d(side=32, width=24, hidden=40, n_blocks=2, n_heads=3)
    checkpoint = {"state_dict": under("backbone.", state, **{"projector.0.weight": torch.ones(2)}), "epoch": 5}
    torch.save(checkpoint, tmp_path / "BrainIAC.ckpt")
    record = load_weights(network, tmp_path / "BrainIAC.ckpt", "brainiac")
    assert record.n_matched == len(state)
    with torch.inference_mode():
        expected = original(CUBES)[0][:, 0]
    torch.testing.assert_close(forward_features(network, CUBES), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_encoder_of_voco_has_the_features_of_the_swin_unetr_of_monai():
    monai_nets = monai_networks()
    original = monai_nets.SwinUNETR(in_channels=1, out_channels=2, feature_size=12, use_v2=True).eval()
    state = {key: value for key, value in original.state_dict().items() if not key.startswith("decoder")}
    network = SwinUnetrEncoder(width=12)
    record = load_weights(network, under("module.backbone.", state), "voco-b")
    assert record.n_matched == sum(key.startswith("swinViT.") for key in state)
    with torch.inference_mode():
        expected = original.swinViT(CUBES)[-1].mean(dim=(2, 3, 4))
    torch.testing.assert_close(forward_features(network, CUBES), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_networks_of_full_size_have_the_weights_of_the_originals():
    monai_nets = monai_networks()
    voco = build_network("voco-b", 1, 0), monai_nets.SwinUNETR(1, 2, feature_size=48, use_v2=True)
    with torch.device("meta"):  # names and shapes alone
        blocks = (1, 2, 2, 4, 4)
        vista3d = monai_nets.segresnet_ds.SegResEncoder(init_filters=48, norm="instance", blocks_down=blocks)
        pairs = [
            (build_network("vista3d", 1, 0), vista3d),
            (build_network("brainiac", 1, 0), monai_nets.ViT(1, 96, 16)),
            (voco[0].swinViT, voco[1].swinViT),
        ]
    for network, original in pairs:
        expected = {key: value.shape for key, value in original.state_dict().items() if "cross_attn" not in key}
        assert {key: value.shape for key, value in network.state_dict().items()} == expected


@pytest.fixture
def narrow(monkeypatch):
    """Make published networks narrow, so that they compute in no time; names, inputs and forms stay."""
    for name, network_class in (("ct-fm", SegResNetEncoder), ("suprem-unet", UNet3dEncoder)):
        entry = (partial(network_class, filters=4), input_specification(name))
        monkeypatch.setitem(registry._ARCHITECTURES, name, entry)


def test_deep_features_by_name_are_those_of_the_original_on_a_cube_in_its_orientation(narrow, tmp_path):
    state = drawn(build_network("suprem-unet", 1, 0))
    torch.save({"net": under("module.backbone.", state)}, tmp_path / "supervised_suprem_unet_2100.pth")
    deep = DeepFeatureExtractor("suprem-unet", weights=tmp_path / "supervised_suprem_unet_2100.pth", n_threads=1)
    cohort = make_phantom_cohort(3, random_state=0)
    cubes = np.stack([cube_about(case, 48, 1.5) for case in cohort])
    turned = np.clip((cubes + 175) / 425, 0, 1)[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)  # right, anterior, superior
    expected = torch.cat([unet_features(state, cube[None, None]) for cube in torch.tensor(turned.copy())])
    np.testing.assert_allclose(deep.fit_transform(cohort), expected, rtol=1e-4, atol=1e-5)
    images, maps = deep.saliency(cohort[:1], "suprem-unet_pool_0003")[0]
    np.testing.assert_allclose(images, scale_to_unit(np.clip(cubes[0], -175, 250)), atol=1e-5)  # in its own axes
    cube = torch.tensor(turned[:1, None].copy(), requires_grad=True)
    unet_features(state, cube)[0, 3].backward()
    gradients = cube.grad[0, 0].abs().numpy().transpose(2, 1, 0)[:, ::-1, ::-1]
    np.testing.assert_allclose(maps, gradients, rtol=1e-2, atol=1e-3 * gradients.max())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*the window shows", "ignore:.*Orientation.__init__")
def test_deep_features_of_ct_fm_are_those_of_monai_on_the_cube_that_monai_makes(narrow, tmp_path):
    monai = pytest.importorskip("monai")
    original = monai.networks.nets.segresnet_ds.SegResEncoder(init_filters=4, blocks_down=(1, 2, 2, 4, 4)).eval()
    original.load_state_dict(drawn(original))
    torch.save(under("encoder.", original.state_dict()), tmp_path / "pretrained_segresnet.torch")
    cohort = make_phantom_cohort(2, random_state=0)
    deep = DeepFeatureExtractor("ct-fm", weights=tmp_path / "pretrained_segresnet.torch", n_threads=1)
    affine = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])  # of z, y, x, in RAS
    make_cube = monai.transforms.Compose(
        [monai.transforms.Orientation("SPL"), monai.transforms.ScaleIntensityRange(-1024, 2048, 0, 1, clip=True)]
    )
    cubes = [monai.data.MetaTensor(cube_about(case, 48)[None], affine=affine) for case in cohort]
    with torch.inference_mode():
        expected = torch.cat([original(make_cube(cube)[None].as_tensor())[-1].mean(dim=(2, 3, 4)) for cube in cubes])
    np.testing.assert_allclose(deep.fit_transform(cohort), expected, rtol=1e-4, atol=1e-5)
    assert deep.get_feature_names_out()[0] == "ct-fm_pool_0000"
