"""How long training the studies' small networks takes: ratios of one run on this machine.

    python benchmarks/training.py [--architecture arch1] [--images 64] [--rounds 5] [--threads 1] [--members 8]

"slide" is a plain PyTorch loop over the layers in the order of the slide (convolution, LeakyReLU, pooling), batch by
batch, with RMSprop; the others are `SimultaneousTraining` of one network. An epoch of the studies are 261 images in 72
views; 48 of those are different, so ours needs two thirds of the steps. "together" trains `--members` networks on the
same batches, "one by one" each of them alone, plainly (pooled first, channels last) and with our layers.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from radiodeep.networks.architectures import build_network
from radiodeep.networks.simultaneous import SimultaneousTraining

BATCH = 32
EPOCH = 261 * 72


class Slide(nn.Sequential):
    """Architecture 1 or 3 with every layer where the slide has it; architecture 2 as the first without its memory."""

    def __init__(self, name, order):
        def block(inner, outer, kernel):
            layers = {
                "convolve": nn.Conv2d(inner, outer, kernel),
                "rectify": nn.LeakyReLU(0.01),
                "pool": nn.MaxPool2d(3),
            }
            return [layers[step] for step in order]

        stem = [*block(3, 64, 5), *block(64, 64, 2), nn.Dropout(0.1)]
        if name == "arch3":
            super().__init__(_Branches(nn.Sequential(*stem)), nn.Linear(1024, 1))
        else:
            full = [nn.Linear(6400, 128), nn.ReLU(), nn.Linear(128, 8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 1)]
            super().__init__(*stem, nn.Flatten(), *full)


class _Branches(nn.Module):
    def __init__(self, right):
        super().__init__()
        self.right, self.left = right, nn.Sequential(nn.MaxPool2d(10), nn.Dropout(0.1))
        self.joined = nn.Sequential(nn.Conv2d(67, 64, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1), nn.Flatten())

    def forward(self, images):
        return self.joined(torch.cat([self.left(images), self.right(images)], dim=1))


def plain_step(networks, channels_last=False):
    """Return a function that trains each network by one step, one after the other."""
    optimizers = [torch.optim.RMSprop(network.parameters(), lr=1e-4) for network in networks]

    def step(images, targets):
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.binary_cross_entropy_with_logits(network(images)[:, 0], targets.float())
            loss.backward()
            optimizer.step()

    return step


def our_step(networks, precision):
    training = SimultaneousTraining(networks, precision=precision)
    return lambda images, targets: training.step(images, targets)


def alone(networks, precision):
    steps = [our_step([network], precision) for network in networks]

    def step(images, targets):
        for one in steps:
            one(images, targets)

    return step


def interleaved(steps, n_images, rounds):
    """Return, for each engine, the median seconds of one pass over the images; engines take turns."""
    images, targets = torch.rand(n_images, 3, 100, 100), torch.arange(n_images) % 2
    seconds = {name: [] for name in steps}
    for number in range(rounds + 1):  # the first round warms up
        for name, step in steps.items():
            start = time.perf_counter()
            for some, of_some in zip(images.split(BATCH), targets.split(BATCH), strict=True):
                step(some, of_some)
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="arch1", choices=["arch1", "arch3"])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--members", type=int, default=8)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    name = options.architecture
    slide, pooled_first = ("convolve", "rectify", "pool"), ("convolve", "pool", "rectify")

    def ours(count=1):
        return [build_network(name) for _ in range(count)]

    def plain(order, count=1):
        return [Slide(name, order).to(memory_format=torch.channels_last) for _ in range(count)]

    print(f"{name}, {options.threads} thread(s), batches of {BATCH}, medians of {options.rounds} rounds")
    single = {
        "slide": plain_step([Slide(name, slide)]),
        "pooled first, channels last": plain_step(plain(pooled_first), channels_last=True),
        "ours float32": our_step(ours(), "float32"),
        "ours bfloat16": our_step(ours(), "bfloat16"),
    }
    taken = interleaved(single, options.images, options.rounds)
    print(f"\n{'':30}{'s/epoch':>9}{'ratio':>8}{'with 48 of 72':>16}")
    for engine, seconds in taken.items():
        ratio = taken["slide"] / seconds
        share, whole = (1, "") if engine == "slide" else (2 / 3, f"{ratio * 1.5:.2f}x")
        print(f"{engine:30}{seconds / options.images * EPOCH * share:9.0f}{ratio:>7.2f}x{whole:>16}")

    many = {
        "plain, one by one": plain_step(plain(pooled_first, options.members), channels_last=True),
        "ours float32, one by one": alone(ours(options.members), "float32"),
        "ours float32, together": our_step(ours(options.members), "float32"),
        "ours bfloat16, one by one": alone(ours(options.members), "bfloat16"),
        "ours bfloat16, together": our_step(ours(options.members), "bfloat16"),
    }
    taken = interleaved(many, BATCH, options.rounds)
    print(f"\n{f'{options.members} networks':30}{'s/batch':>9}{'ratio':>8}")
    for engine, seconds in taken.items():
        print(f"{engine:30}{seconds:9.2f}{taken['plain, one by one'] / seconds:>7.2f}x")


if __name__ == "__main__":
    main()
