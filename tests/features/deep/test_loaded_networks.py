"""A weights file that is replaced in the same process is noticed, whatever its modification time says."""

import os

import numpy as np
import safetensors.torch
import torch

import radiodeep as rd
from radiodeep.networks.architectures.registry import build_network

COHORT = rd.make_phantom_cohort(1, random_state=0)


def write_weights(path, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        safetensors.torch.save_file(build_network("radiodeep-mini", 1, 0).state_dict(), path)


def test_a_weights_file_replaced_with_the_same_size_and_time_is_read_again(tmp_path):
    path = tmp_path / "own.safetensors"
    write_weights(path, seed=0)
    status = path.stat()
    extractor = rd.DeepFeatureExtractor(weights=str(path))
    first = extractor.transform(COHORT)
    write_weights(path, seed=1)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert not np.allclose(extractor.transform(COHORT), first)
