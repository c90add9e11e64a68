"""`radiodeep segment` writes masks and a manifest with them; `train-segmenter` the model that outlines."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd


@pytest.fixture
def uptake(tmp_path):
    """Four images with a bright lesion, of which the last is empty; their manifest has no masks."""
    cohort = rd.make_study_cohort("sarcoma", 4).of_image("PET")
    last = cohort[3].replace(image=cohort[3].voxels * 0 - 5)
    manifest = rd.write_cohort(rd.Cohort([*cohort[:3], last]), tmp_path / "images")
    frame = pd.read_csv(manifest).drop(columns="mask")
    frame.to_csv(manifest, index=False)
    return manifest, cohort


def test_masks_are_written_for_images_without_masks(uptake, tmp_path, radiodeep):
    manifest, cohort = uptake
    done = radiodeep("segment", "threshold", manifest, "-o", tmp_path / "masks", "--share", 0.3, "--jobs", 1)
    assert done.code == 2
    assert "Wrote the masks of 3 of 4 cases and manifest.csv" in done.out
    assert "the highest intensity is -5" in done.err
    errors = pd.read_csv(tmp_path / "masks" / "errors.csv")
    assert errors[["id", "error"]].to_numpy().tolist() == [[cohort[3].id, "InputError"]]
    written = rd.read_cohort(tmp_path / "masks" / "manifest.csv")
    assert written.ids == cohort.ids[:3]
    assert written.frame["label"].tolist() == cohort.labels[:3].tolist()
    expected = rd.ThresholdSegmenter(0.3).predict(cohort[:3])
    for case, original, mask in zip(written, cohort, expected, strict=False):
        np.testing.assert_array_equal(case.roi, mask)
        np.testing.assert_array_equal(case.voxels, original.voxels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["treshold"], "Got 'treshold'. Did you mean 'threshold'?"),
        (["random-walker", "--share", 0.3], "--share belongs to threshold, not to random-walker"),
        (["m.skops", "--at", "centre"], "--share and --at belong to the classical methods, not to a model"),
        (["m.skops"], "does not exist"),
        (["threshold", "--share", 41], "Error: --share must be a float > 0 and < 1. Got 41"),
    ],
)
def test_wrong_methods_are_one_sentence(arguments, message, known, tmp_path, radiodeep):
    method, *more = arguments
    done = radiodeep("segment", method, known, "-o", tmp_path / "masks", *more)
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_one_of_several_images_is_chosen_once(tmp_path, radiodeep):
    manifest = rd.write_cohort(rd.make_study_cohort("sarcoma", 1), tmp_path / "images")
    rd.save_model(rd.ThresholdSegmenter(), tmp_path / "any.skops")
    network = rd.UNetSegmenter(image="PET")
    network.networks_ = []  # as if it were fitted
    rd.save_model(network, tmp_path / "pet.skops")
    arguments = ["segment", tmp_path / "any.skops", manifest, "-o", tmp_path / "masks", "--jobs", 1]
    done = radiodeep(*arguments)
    assert (done.code, done.err) == (1, "Error: The cases have several images, MR, PET. Choose one: --image MR.\n")
    assert radiodeep(*arguments, "--image", "PET").code == 0
    done = radiodeep("segment", tmp_path / "pet.skops", manifest, "-o", tmp_path / "masks", "--image", "PET")
    assert done.code == 1
    assert "was trained on the image PET, which it takes by itself. Leave out --image." in done.err


def test_the_manifest_that_is_read_is_not_replaced(known, radiodeep):
    before = known.read_bytes()
    done = radiodeep("segment", "threshold", known, "-o", known.parent)
    assert done.code == 1
    assert "its manifest.csv is read and would be replaced. Give another folder." in done.err
    assert known.read_bytes() == before


def test_a_model_that_outlines_nothing_is_refused(known, tmp_path, radiodeep):
    extractor = rd.RadiomicsExtractor(bin_width=25)
    rd.save_model(extractor, tmp_path / "features.skops")
    done = radiodeep("segment", tmp_path / "features.skops", known, "-o", tmp_path / "masks")
    assert done.code == 1
    assert "holds a RadiomicsExtractor, which outlines nothing" in done.err


@pytest.mark.slow
def test_a_trained_segmenter_outlines_new_images(folder, tmp_path, radiodeep):
    model = tmp_path / "unet.skops"
    options = ["--dimensions", "2", "--spacing", 1.5, "--epochs", 12, "--intensity-range", "-40,220", "--jobs", 1]
    done = radiodeep("train-segmenter", folder / "new" / "manifest.csv", "-o", model, *options)
    assert done.code == 2  # three of the eight cases are broken
    assert "Trained on 5 cases" in done.out
    assert len(pd.read_csv(tmp_path / "unet.errors.csv")) == 3
    done = radiodeep("segment", model, folder / "known" / "manifest.csv", "-o", tmp_path / "masks", "--jobs", 1)
    assert (done.code, done.err) == (0, "")
    true = rd.read_cohort(folder / "known" / "manifest.csv")
    found = rd.read_cohort(tmp_path / "masks" / "manifest.csv")
    dice = [2 * (a.roi & b.roi).sum() / (a.roi.sum() + b.roi.sum()) for a, b in zip(true, found, strict=True)]
    assert np.mean(dice) > 0.8
    done = radiodeep("train-segmenter", folder / "known" / "manifest.csv", "-o", model, "--intensity-range", "5")
    assert done.code == 1
    assert "--intensity-range takes two numbers, LOW,HIGH. Got '5'." in done.err
