import numpy as np
import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.synthetic import volumes
from radiodeep.networks.synthetic.volumes import VOLUME_TARGETS, make_volumes, scaled_volume_batches


def lesions(n_volumes, seed):
    return make_volumes(n_volumes, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def many():
    cubes, targets = lesions(96, 0)
    return cubes, dict(zip(VOLUME_TARGETS, targets.T, strict=True))


def test_the_same_seed_gives_the_same_cubes_and_another_seed_others():
    first, again, other = lesions(4, 3), lesions(4, 3), lesions(4, 4)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_lesions_of_a_seed_are_those_that_the_packaged_network_was_trained_on():
    cubes, targets = (values.double() for values in lesions(16, 0))
    sampled = cubes[:, 0, ::3, ::5, ::2].square().mean().item()
    assert [cubes.mean().item(), cubes.std().item(), sampled] == pytest.approx([0.247232, 0.282794, 0.147442], abs=2e-5)
    names = ("extent", "spicules", "halo", "background", "columns", "volume", "contact", "scene_dark")
    means = [targets[:, VOLUME_TARGETS.index(name)].mean().item() for name in names]
    assert means == pytest.approx([-0.546, 0.3791, 0.2307, 0.0513, 2.6969, -2.5978, 0.2437, -4.5404], abs=2e-4)


def test_cubes_are_finite_and_within_0_and_1_and_all_targets_vary(many):
    cubes, targets = many
    assert cubes.shape == (96, 1, 24, 24, 24)
    assert cubes.dtype == torch.float32
    assert cubes.min() == 0
    assert cubes.max() == 1
    for name, values in targets.items():
        assert values.isfinite().all(), name
        assert 0.01 < values.std() < 3, name


def test_a_fifth_of_the_lesions_are_cut_out(many):
    cubes, targets = many
    cut = targets["background"] == -1
    assert 0.1 < cut.float().mean() < 0.3
    flat = cubes.flatten(1)
    share_of_one_value = (flat == flat.amin(dim=1, keepdim=True)).float().mean(dim=1)
    assert share_of_one_value[cut].min() > share_of_one_value[~cut].median()
    assert share_of_one_value[cut].mean() > 0.5


def test_the_targets_can_be_seen_in_the_cubes(many):
    cubes, targets = many
    slices, columns = ((cubes[:, 0].diff(dim=axis).abs().mean(dim=(1, 2, 3)) + 1e-4).log() for axis in (1, 3))
    assert np.corrcoef(slices - columns, targets["slices"] - targets["columns"])[0, 1] > 0.4
    centre, corner = cubes[:, 0, 9:15, 9:15, 9:15].mean(dim=(1, 2, 3)), cubes[:, 0, :4, :4, :4].mean(dim=(1, 2, 3))
    assert np.corrcoef(centre - corner, targets["background"].clamp(min=0))[0, 1] < -0.3


def test_a_view_of_a_lesion_has_its_targets_with_rows_and_columns_exchanged_where_it_was_turned(monkeypatch):
    monkeypatch.setattr(volumes, "_pools", lambda n, generator: iter([pool]))
    generator = torch.Generator().manual_seed(0)
    cubes, targets = make_volumes(8, generator)
    pool = cubes, targets, torch.rand(4, 8, generator=generator)
    rows, columns = VOLUME_TARGETS.index("rows"), VOLUME_TARGETS.index("columns")
    n_views, ways = 0, set()
    for view, view_targets in scaled_volume_batches(1, generator):
        number = (cubes.mean(dim=(1, 2, 3, 4)) - view.mean()).abs().argmin()
        found = [
            (turned, axes)
            for turned in (False, True)
            for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
            if torch.equal((view[0, 0].mT if turned else view[0, 0]).flip(axes), cubes[number, 0])
        ]
        assert len(found) == 1
        assert view_targets[0, rows] == targets[number, columns if found[0][0] else rows]
        assert view_targets[0, columns] == targets[number, rows if found[0][0] else columns]
        n_views, ways = n_views + 1, ways | set(found)
    assert n_views == 32
    assert len(ways) > 8


@pytest.mark.parametrize("n_volumes", [0, -1, 2.0])
def test_a_number_of_volumes_that_is_none_is_refused(n_volumes):
    with pytest.raises(InputError, match="'n_volumes' parameter of make_volumes must be an int > 0"):
        make_volumes(n_volumes, torch.Generator())
