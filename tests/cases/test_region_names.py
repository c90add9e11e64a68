"""Regions by name: exact, in any letters, by pattern, and the union of several."""

import pytest

from radiodeep.cases.region_names import choose_region, choose_regions
from radiodeep.exceptions import AmbiguousMaskError, LabelNotFoundError


@pytest.mark.parametrize(
    ("wanted", "position"),
    [("gtv-1", 0), ("GTV-[2]", 2), ("*node*", 1), (["PTV", "GTV-1"], 0), (["lung", "*node*", "GTV-1"], 1)],
)
def test_regions_are_chosen_by_name_or_pattern(wanted, position):
    assert choose_region(("GTV-1", "GTV node", "GTV-[2]"), wanted) == position


def test_brackets_are_letters_and_accents_may_be_written_in_two_ways():
    assert choose_region(("Lung L", "Lung [L] low"), "lung [L]*") == 1
    with pytest.raises(LabelNotFoundError, match=r"no region matches 'lung \[L\]'"):
        choose_region(("Lung L", "Heart"), "lung [L]")
    assert choose_region(("Gro\u0308\u00dfe",), "GR\u00d6SSE") == 0


def test_a_region_must_be_there_and_be_the_only_one():
    with pytest.raises(LabelNotFoundError, match=r"no region matches 'lung'. The regions are 'GTV-1', 'Heart'"):
        choose_region(("GTV-1", "Heart"), "lung")
    with pytest.raises(AmbiguousMaskError, match=r"several regions match 'G\*': 'GTV-1', 'GTV-2'"):
        choose_region(("GTV-1", "GTV-2"), "G*")
    with pytest.raises(AmbiguousMaskError, match=r"several regions were outlined: 'GTV-1', 'GTV-2'"):
        choose_region(("GTV-1", "GTV-2"))


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        ("Liver", [0]),
        ("liver", [1]),
        ("SPLEEN", [2]),
        ("spl*", [2]),
        (["spleen", "Liver"], [0, 2]),
        (["spl*"] * 2, [2]),
    ],
)
def test_several_names_are_a_union_and_exact_letters_come_first(wanted, positions):
    assert choose_regions(("Liver", "liver", "Spleen"), wanted) == positions


def test_every_name_of_a_union_must_be_there():
    with pytest.raises(LabelNotFoundError, match=r"no region matches 'spleeen'.*Did you mean 'Spleen'\?"):
        choose_regions(("Liver", "Spleen"), ["Liver", "spleeen"])
    with pytest.raises(AmbiguousMaskError, match=r"several regions match 'LIVER': 'Liver', 'liver'"):
        choose_regions(("Liver", "liver"), "LIVER")


def test_a_single_region_needs_no_name():
    assert choose_regions(("Liver",)) == [0]
    with pytest.raises(LabelNotFoundError, match="there are no regions to choose from"):
        choose_regions(())


def test_only_some_of_many_names_are_listed():
    with pytest.raises(LabelNotFoundError, match=r"'r29' and 87 more"):
        choose_regions([f"r{number}" for number in range(117)], "liver")
