"""Time and memory that the published networks take for one lesion -> their section of data/RESULTS.md.

    python benchmarks/published_networks.py [NAME ...] [--lesions 2]

Every network has random weights and a process of its own, with one thread. Seconds are those of the processor, so that
other work on the machine does not count: to build the network and give it its weights, and per lesion, from the volume
to the features. The networks "radiodeep-mini" and "medicalnet_resnet18" are what takes their place without a download.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import pandas as pd
from results import PAGE, markdown, written

import radiodeep as rd

OTHERS = ("radiodeep-mini", "medicalnet_resnet18")
VERDICT = (
    "They take 0.3 to 3.3 seconds of one core per lesion, 30 to 330 times what the packaged network takes; slices of "
    "512 pixels and Swin transformers take most. What they predict was not measured: no trained weights could be had "
    "here."
)


def measured(name, n_lesions):
    """Return the row of a network, measured in this process."""
    cohort = rd.make_phantom_cohort(n_lesions, random_state=0)
    deep = rd.DeepFeatureExtractor(name, weights="random", seed=0, n_threads=1, device="cpu")
    start = time.process_time()
    deep.fit(cohort)
    loaded = time.process_time()
    shape = deep.transform(cohort).shape
    seconds = (time.process_time() - loaded) / n_lesions
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    millions = sum(weights.numel() for weights in deep._pretrained_network().network.parameters()) / 1e6
    return {
        "weights": f"{millions:.1f} million",
        "features": shape[1],
        "s to load": f"{loaded - start:.1f}",
        "s per lesion": f"{seconds:.2f}",
        "peak MiB": f"{peak:.0f}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--lesions", type=int, default=2)
    parser.add_argument("--one", action="store_true", help="print the row of one network and write no page")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.names[0], arguments.lesions)))
        return
    rows = {}
    for name in arguments.names or (*OTHERS, *rd.published_networks().index):
        command = [sys.executable, __file__, name, "--one", "--lesions", str(arguments.lesions)]
        rows[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(name, rows[name], flush=True)
    table = markdown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("network"))
    text = f"## Published networks: time and memory of one lesion\nOne thread, random weights. {VERDICT}\n\n{table}"
    PAGE.write_text(written(PAGE.read_text(), "published-networks", text))


if __name__ == "__main__":
    main()
