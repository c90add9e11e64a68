"""Images per second of deep features, compared with plain PyTorch loops: ratios of one run.

All engines compute features of the same images with the same random weights, and take turns within a round, so that the
load of the machine affects all alike:

    python benchmarks/deep.py [--networks resnet18,resnet50] [--threads 1,2] [--images 32] [--rounds 7] [--memory]
    python benchmarks/deep.py --device cuda --threads 1 --images 2048 --batch 256

"timm" is a loop over batches (`--batch`) in evaluation and inference mode, in the precision of torch's defaults;
networks that timm lacks are those of radiodeep. "torchvision" is `create_feature_extractor`. The columns are images per
second, their ratio to timm, the largest deviation from its features relative to the largest feature (for bfloat16 and
TF32 the smallest cosine), the seconds of preparing the network, and the number of images after which the preparation
has paid off.
"""

import argparse
import copy
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.networks.architectures import build_network, input_specification
from radiodeep.networks.devices import torch_precision
from radiodeep.networks.inference.activations import forward_features, pooled_features
from radiodeep.networks.inference.engines import optimize_for_inference

NETWORKS = ("resnet18", "resnet50", "cnn_f", "vgg16", "convnext_tiny")
NODES = {"resnet18": "flatten", "resnet50": "flatten", "vgg16": "classifier.4", "convnext_tiny": "classifier.1"}
OURS = {
    "ours float32": ("float32", "torch"),
    "ours tf32": ("tf32", "torch"),
    "ours bfloat16": ("bfloat16", "torch"),
    "openvino float32": ("float32", "openvino"),
    "openvino bfloat16": ("bfloat16", "openvino"),
}


def with_random_weights(name):
    """Return our network, torchvision's (None if it has none), and whether both have the same weights."""
    torch.manual_seed(0)
    ours = build_network(name, in_channels=input_specification(name).channels, n_classes=0).eval()
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if hasattr(module, "gamma"):  # otherwise the layers of ConvNeXt contribute almost nothing
            nn.init.uniform_(module.gamma, 0.1, 1)
    if name not in NODES:
        return ours, None, False
    import torchvision
    from torchvision.models.feature_extraction import create_feature_extractor

    theirs = torchvision.models.get_model(name, weights=None).eval()
    if name.startswith("vgg"):  # timm writes the fully connected layers as convolutions
        known = {key: value for key, value in theirs.state_dict().items() if key.startswith("features.")}
        for layer, number, shape in (("fc1", 0, (-1, 512, 7, 7)), ("fc2", 3, (-1, 4096, 1, 1))):
            known[f"pre_logits.{layer}.weight"] = theirs.classifier[number].weight.reshape(shape)
            known[f"pre_logits.{layer}.bias"] = theirs.classifier[number].bias
        ours.load_state_dict(known)
    elif name.startswith("resnet"):
        theirs.load_state_dict(ours.state_dict(), strict=False)
    return ours, create_feature_extractor(theirs, {NODES[name]: "features"}), not name.startswith("convnext")


def in_batches(function, size, device):
    def compute(images):
        with torch.inference_mode():
            return torch.cat([function(batch.to(device)).cpu() for batch in images.split(size)])

    return compute


def make_engines(name, images, batch, device):
    """Return {engine: (function of images, seconds of preparation)}, and the engines with other weights."""
    network, theirs, same = with_random_weights(name)
    plain = copy.deepcopy(network).to(device)
    engines = {"timm": (in_batches(lambda part: pooled_features(plain, part), batch, device), 0.0)}
    if theirs is not None:
        theirs = theirs.to(device)
        engines["torchvision"] = (in_batches(lambda part: theirs(part)["features"].flatten(1), batch, device), 0.0)
    for engine, (precision, backend) in OURS.items():
        if (precision == "tf32") > (device == "cuda"):
            continue
        start = time.perf_counter()
        try:
            quick = optimize_for_inference(network, precision, device, backend=backend)
        except InputError as error:
            print(f"{engine}: {error}")
            continue
        forward_features(quick, images[:1])  # completes the preparation
        seconds = time.perf_counter() - start
        engines[engine] = features_of(quick, precision, batch, device), seconds
    return engines, set() if same else {"torchvision"}


def features_of(network, precision, batch, device):
    def compute(images):
        with torch_precision(precision, device):
            return forward_features(network, images, batch_size=batch)

    return compute


def compare(name, n_threads, options):
    torch.set_num_threads(n_threads)
    specification = input_specification(name)
    shape = (options.images, specification.channels, specification.size, specification.size)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    engines, other_weights = make_engines(name, images, options.batch, options.device)
    seconds = {engine: [] for engine in engines}
    features = {}
    for number in range(options.rounds + 1):  # the first round warms up
        for engine, (compute, _) in engines.items():
            start = time.perf_counter()
            features[engine] = compute(images)
            if number:
                seconds[engine].append((time.perf_counter() - start) / options.images)
    plain = features["timm"]
    for engine, (_, setup) in engines.items():
        per_image = statistics.median(seconds[engine])
        ratio = statistics.median(a / b for a, b in zip(seconds["timm"], seconds[engine], strict=True))
        if engine in other_weights:
            deviation = "other weights"
        elif "bfloat16" in engine or "tf32" in engine:
            deviation = f"{nn.functional.cosine_similarity(plain, features[engine]).min():.5f}"
        else:
            deviation = f"{(features[engine] - plain).abs().max() / plain.abs().max():.0e}"
        saved = statistics.median(seconds["timm"]) - per_image
        paid = f"{setup:6.2f} s {setup / saved:6.0f}" if setup and saved > 0 else ""
        print(
            f"{name:14s} {n_threads}  {engine:18s} {1 / per_image:8.1f} {ratio:6.2f}x  {deviation:>13s} {paid}",
            flush=True,
        )


def memory_growth(n_cases):
    """Return the MB by which memory grew in a new process that computed features of n_cases phantoms on disk."""
    code = f"from deep import print_growth; print_growth({n_cases})"
    answer = subprocess.run([sys.executable, "-c", code], cwd=sys.path[0], check=True, capture_output=True, text=True)
    return float(answer.stdout)


def print_growth(n_cases):
    with tempfile.TemporaryDirectory() as folder:
        rd.write_cohort(rd.make_phantom_cohort(50, random_state=0), folder)
        few = list(rd.read_cohort(f"{folder}/manifest.csv"))
        cohort = [few[number % 50].replace(id=f"case-{number}") for number in range(n_cases)]
        extractor = rd.DeepFeatureExtractor(device="cpu", n_threads=1).fit(cohort[:40])
        extractor.transform(cohort[:40])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        extractor.transform(cohort)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--batch", type=int, default=32, help="images computed at once")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", action="store_true", help="only print how memory grows with the number of cases")
    options = parser.parse_args()
    if options.memory:
        for n_cases in (100, 1000):
            print(f"{n_cases:5d} cases: {memory_growth(n_cases):.0f} MB")
        return
    print(f"{'network':13s} threads engine  images/s   ratio      deviation    setup  paid after images")
    for name in options.networks.split(","):
        for n_threads in options.threads.split(","):
            compare(name, int(n_threads), options)


if __name__ == "__main__":
    main()
