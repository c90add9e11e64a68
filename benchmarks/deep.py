"""How many images per second deep features take on the processor, beside plain loops: ratios of one run.

The engines look at the same images with the same random weights and take turns within a round, so that the load of
the machine hits all alike:

    python benchmarks/deep.py [--networks resnet18,resnet50] [--threads 1,2] [--images 32] [--rounds 7] [--memory]

"timm" is a loop over batches (`--batch`) in evaluation and inference mode, in single precision; its own modules are
used for the networks that timm has not. "torchvision" is `create_feature_extractor`. Behind an engine's images per
second stand the ratio to timm, the largest deviation from its features as a part of the largest (in bfloat16, the
smallest cosine), and what setting up takes: seconds, and after how many images it has paid.
"""

import argparse
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
from radiodeep.networks.activations import forward_features, pooled_features
from radiodeep.networks.architectures import build_network, input_specification
from radiodeep.networks.inference import prepared

NETWORKS = ("resnet18", "resnet50", "cnn_f", "vgg16", "convnext_tiny")
NODES = {"resnet18": "flatten", "resnet50": "flatten", "vgg16": "classifier.4", "convnext_tiny": "classifier.1"}
OURS = {
    "ours float32": ("float32", "torch"),
    "ours bfloat16": ("bfloat16", "torch"),
    "openvino float32": ("float32", "openvino"),
    "openvino bfloat16": ("bfloat16", "openvino"),
}


def with_random_weights(name):
    """Return our network and torchvision's, which is None where it has none, of the same weights if the keys allow."""
    torch.manual_seed(0)
    ours = build_network(name, in_channels=input_specification(name).channels, n_classes=0).eval()
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if hasattr(module, "gamma"):  # else the layers of ConvNeXt are next to nothing
            nn.init.uniform_(module.gamma, 0.1, 1)
    if name not in NODES:
        return ours, None, False
    import torchvision
    from torchvision.models.feature_extraction import create_feature_extractor

    theirs = torchvision.models.get_model(name, weights=None).eval()
    if name.startswith("vgg"):  # timm has the full layers as convolutions
        known = {key: value for key, value in theirs.state_dict().items() if key.startswith("features.")}
        for layer, number, shape in (("fc1", 0, (-1, 512, 7, 7)), ("fc2", 3, (-1, 4096, 1, 1))):
            known[f"pre_logits.{layer}.weight"] = theirs.classifier[number].weight.reshape(shape)
            known[f"pre_logits.{layer}.bias"] = theirs.classifier[number].bias
        ours.load_state_dict(known)
    elif name.startswith("resnet"):
        theirs.load_state_dict(ours.state_dict(), strict=False)
    return ours, create_feature_extractor(theirs, {NODES[name]: "features"}), not name.startswith("convnext")


def in_batches(function, size):
    def look(images):
        with torch.inference_mode():
            return torch.cat([function(batch) for batch in images.split(size)])

    return look


def make_engines(name, images, batch):
    """Return {engine: (function of images, seconds of setting up)}, and the engines whose weights are others."""
    network, theirs, same = with_random_weights(name)
    engines = {"timm": (in_batches(lambda some: pooled_features(network, some), batch), 0.0)}
    if theirs is not None:
        engines["torchvision"] = (in_batches(lambda some: theirs(some)["features"].flatten(1), batch), 0.0)
    for engine, (precision, backend) in OURS.items():
        start = time.perf_counter()
        try:
            quick = prepared(network, precision, backend=backend)
        except InputError as error:
            print(f"{engine}: {error}")
            continue
        forward_features(quick, images[:1])  # the rest of it is done when the first image comes
        engines[engine] = (lambda some, quick=quick: forward_features(quick, some)), time.perf_counter() - start
    return engines, set() if same else {"torchvision"}


def compare(name, n_threads, options):
    torch.set_num_threads(n_threads)
    specification = input_specification(name)
    shape = (options.images, specification.channels, specification.size, specification.size)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    engines, others = make_engines(name, images, options.batch)
    seconds, features = {engine: [] for engine in engines}, {}
    for number in range(options.rounds + 1):  # the first warms up
        for engine, (look, _) in engines.items():
            start = time.perf_counter()
            features[engine] = look(images)
            if number:
                seconds[engine].append((time.perf_counter() - start) / options.images)
    plain = features["timm"]
    for engine, (_, setup) in engines.items():
        once = statistics.median(seconds[engine])
        ratio = statistics.median(a / b for a, b in zip(seconds["timm"], seconds[engine], strict=True))
        if engine in others:
            told = "other weights"
        elif "bfloat16" in engine:
            told = f"{nn.functional.cosine_similarity(plain, features[engine]).min():.5f}"
        else:
            told = f"{(features[engine] - plain).abs().max() / plain.abs().max():.0e}"
        saved = statistics.median(seconds["timm"]) - once
        paid = f"{setup:6.2f} s {setup / saved:6.0f}" if setup and saved > 0 else ""
        print(f"{name:14s} {n_threads}  {engine:18s} {1 / once:8.1f} {ratio:6.2f}x  {told:>13s} {paid}", flush=True)


def grown(n_cases):
    """Return by how many MB memory grew while features of so many phantoms on disk were computed, in a process."""
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
    parser.add_argument("--batch", type=int, default=32, help="of the plain loops")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", action="store_true", help="only: how memory grows with the number of cases")
    options = parser.parse_args()
    if options.memory:
        for n_cases in (100, 1000):
            print(f"{n_cases:5d} cases: {grown(n_cases):.0f} MB")
        return
    print(f"{'network':13s} threads engine  images/s   ratio      deviation    setup  paid after images")
    for name in options.networks.split(","):
        for n_threads in options.threads.split(","):
            compare(name, int(n_threads), options)


if __name__ == "__main__":
    main()
