"""Cases with several images: each is measured as if it were alone, and missing ones are NaN."""

import json
import pickle

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd
from radiodeep.exceptions import (
    AmbiguousImageError,
    GeometryMismatchError,
    InputError,
    MissingImageError,
    RadiodeepWarning,
    StudyError,
)
from radiodeep.features.radiomics.measurement import Measurement

PHANTOMS = rd.make_phantom_cohort(14, random_state=0)
N = 12


def two_images(number, pet=True, shared=False, **changes):
    """Return a phantom with the images T1 and PET: another phantom in its own mask, or its own voxels otherwise."""
    a, b = PHANTOMS[number], PHANTOMS[number + 2]
    second = a.voxels * 1.5 + 3 if shared else b.voxels
    images = {"T1": a.voxels, "PET": second if pet else None}
    masks = a.roi if shared else {"T1": a.roi, "PET": b.roi if pet else None}
    arguments = {"id": a.id, "label": a.label, "spacing_mm": a.spacing_mm} | changes
    return rd.Case(images, masks, **arguments)


def cohort(shared=False, without=(3,)):
    return rd.Cohort([two_images(number, number not in without, shared) for number in range(N)])


OWN, SHARED = cohort(), cohort(shared=True)
LACKING = "MissingImageError: phantom-003: there is no image 'PET'; it has T1."
FAST = {"families": ["shape", "firstorder"]}


def pet_of(cases):
    with pytest.warns(RadiodeepWarning, match="1 of 12 cases have no image 'PET'"):
        return cases.of_image("PET")


@pytest.mark.parametrize("cases", [OWN, SHARED], ids=["own masks", "a shared mask"])
@pytest.mark.parametrize("settings", [{}, {"image_types": ["Square", "Original"], **FAST}, {"families": ["shape"]}])
def test_each_image_is_measured_as_if_it_were_alone(cases, settings):
    table = rd.extract_table(rd.RadiomicsExtractor(**settings), cases[2:5])
    is_shared = cases is SHARED
    assert table.columns[0].startswith("original_shape_" if is_shared else "T1_original_shape_")
    for name, single in (("T1", cases[2:5].of_image("T1")), ("PET", rd.Cohort([cases[2], cases[4]]).of_image("PET"))):
        alone = rd.extract_table(rd.RadiomicsExtractor(**settings), single)
        columns = [
            column if is_shared and "_shape_" in column else f"{name}_{column}" for column in alone.columns
        ]  # fmt: skip
        np.testing.assert_array_equal(table.loc[alone.index, columns], alone)
    assert table.attrs["errors"] == {"phantom-003": LACKING}
    own = [column for column in table.columns if column.startswith("PET_")]
    assert table.loc["phantom-003", own].isna().all()
    assert table.loc["phantom-003"].drop(own).notna().all()


def test_deep_features_of_each_image_are_those_of_the_image_alone():
    deep = rd.DeepFeatureExtractor()
    rows = deep.fit_transform(OWN)
    assert rows.shape == (N, 256)
    assert deep.get_feature_names_out()[[0, 255]].tolist() == [
        "T1_radiodeep-mini_pool_0000",
        "PET_radiodeep-mini_pool_0127",
    ]
    alone = rd.DeepFeatureExtractor()
    np.testing.assert_array_equal(rows[:, :128], alone.fit_transform(OWN.of_image("T1")))
    np.testing.assert_array_equal(np.delete(rows, 3, axis=0)[:, 128:], alone.fit_transform(pet_of(OWN)))
    assert np.isnan(rows[3, 128:]).all()
    (images, gradients), *_ = deep.saliency(OWN[:1], "PET_radiodeep-mini_pool_0002")
    expected = alone.saliency([OWN[0].of_image("PET")], "radiodeep-mini_pool_0002")[0]
    np.testing.assert_array_equal(images, expected[0])
    np.testing.assert_array_equal(gradients, expected[1])
    crop = rd.DeepFeatureExtractor(window="crop", size=8)
    shares = [crop.share_shown([OWN[0].of_image(name)])[0] for name in ("T1", "PET")]
    assert crop.share_shown(OWN[:1])[0] == min(shares) < max(shares)


def test_one_image_can_be_chosen():
    pet = rd.RadiomicsExtractor(image="PET", **FAST)
    table = rd.extract_table(pet, SHARED)
    alone = rd.extract_table(rd.RadiomicsExtractor(**FAST), pet_of(SHARED))
    assert table.columns.tolist() == [f"PET_{name}" for name in alone.columns] == pet.get_feature_names_out().tolist()
    np.testing.assert_array_equal(table.drop(index="phantom-003"), alone)
    assert table.loc["phantom-003"].isna().all()
    union = make_union(rd.RadiomicsExtractor(image="T1", **FAST), pet)
    assert rd.extract_table(union, SHARED).attrs["errors"] == {"phantom-003": LACKING}
    both = rd.RadiomicsExtractor(image=("PET", "T1"), **FAST).fit(SHARED)
    assert both.image_names_ == ("PET", "T1")
    np.testing.assert_array_equal(both.transform(SHARED)[:, 14:32], table.to_numpy()[:, 14:])


def test_shape_of_a_shared_mask_is_measured_once_unless_it_depends_on_the_image(monkeypatch):
    measured = []
    row_of = Measurement.row_of
    monkeypatch.setattr(
        Measurement,
        "row_of",
        lambda self, case, image: measured.append(self.settings.chosen_families) or row_of(self, case, image),
    )
    rd.RadiomicsExtractor(**FAST).fit_transform(SHARED[2:4])
    assert measured == [["shape", "firstorder"], ["firstorder"], ["shape", "firstorder"]]
    cut = rd.RadiomicsExtractor(resegment_range=(0, 1000), **FAST).fit(SHARED)
    names = cut.get_feature_names_out().tolist()
    assert "T1_original_shape_VoxelVolume" in names
    assert "PET_original_shape_VoxelVolume" in names
    assert rd.RadiomicsExtractor(**FAST).fit(OWN).get_feature_names_out()[14 + 18] == "PET_original_shape_Elongation"


def test_cases_of_one_image_are_as_before():
    extractor = rd.RadiomicsExtractor(**FAST).fit(PHANTOMS)
    assert extractor.image_names_ == ()
    assert extractor.get_feature_names_out()[0] == "original_shape_Elongation"
    assert extractor.settings()["image"] is None
    state = extractor.__getstate__()
    del state["image"], state["image_names_"], state["shares_mask_"]  # as saved by an earlier version
    for kind, before in ((rd.RadiomicsExtractor, state), (rd.DeepFeatureExtractor, None)):
        old = kind.__new__(kind)
        before = before or {name: value for name, value in kind().__getstate__().items() if name != "image"}
        old.__setstate__(before)
        assert old.image is None
        np.testing.assert_array_equal(old.transform(PHANTOMS[:2]), kind(**old.get_params()).transform(PHANTOMS[:2]))


@pytest.mark.parametrize(
    ("image", "cases", "error", "message"),
    [
        ("T1", PHANTOMS[:2], MissingImageError, "phantom-000: there is no image 'T1'; the case has one image without"),
        (None, [PHANTOMS[9], OWN[0]], InputError, "'phantom-009' has one image without a name, 'phantom-000' has T1"),
        ("FLAIR", OWN, MissingImageError, "No case has an image 'FLAIR'. Their images are: T1, PET"),
        (3, OWN, InputError, "'image' parameter of RadiomicsExtractor must be None, the name of an image, or"),
        (("T1", "T1"), OWN, InputError, "'image' parameter of RadiomicsExtractor must be None, the name"),
    ],
)  # fmt: skip
def test_wrong_images_are_refused_with_the_way_out(image, cases, error, message):
    with pytest.raises(error, match=message):
        rd.RadiomicsExtractor(image=image, **FAST).fit(cases)


def test_cases_of_another_kind_than_in_fit_are_refused():
    fitted = rd.RadiomicsExtractor(**FAST).fit(SHARED)
    with pytest.raises(
        InputError, match="phantom-000: each image has its own mask, but those of the first cases share"
    ):
        fitted.transform(OWN)
    with pytest.raises(MissingImageError, match="phantom-000: there is no image 'T1'"):
        fitted.transform(PHANTOMS)
    with pytest.raises(AmbiguousImageError, match="phantom-000: the case has 2 images"):
        rd.RadiomicsExtractor(**FAST).fit(PHANTOMS).transform(OWN)
    np.testing.assert_array_equal(
        rd.RadiomicsExtractor(**FAST).transform(OWN), rd.RadiomicsExtractor(**FAST).fit_transform(OWN)
    )


def test_errors_and_warnings_name_the_image():
    image = {"T1": PHANTOMS[0].voxels, "PET": PHANTOMS[0].voxels * 0.0}
    flat = rd.Case(image, PHANTOMS[0].roi, "flat", (1, 1, 1))
    with pytest.warns(RadiodeepWarning, match="^flat: PET: all intensities"):
        rd.RadiomicsExtractor(families=["glcm"]).transform([flat])
    with pytest.warns(RadiodeepWarning, match="^flat: PET: everything the network sees"):
        rd.DeepFeatureExtractor().transform([flat])
    image["PET"] = np.full_like(image["T1"], np.nan, dtype=float)
    table = rd.extract_table(rd.RadiomicsExtractor(**FAST), [flat.replace(image=image), OWN[0]], on_error="record")
    assert table.attrs["errors"]["flat"].startswith("NonFiniteIntensityError: flat: PET: ")
    missing_file = OWN[0].replace(image={"T1": OWN[0].image["T1"], "PET": "lost.nii"}, id="lost")
    with pytest.raises(InputError, match="^lost: PET: "):
        missing_file.in_memory()
    with pytest.raises(InputError, match="^flat: PET: .* of .* voxels of the region are NaN"):
        rd.RadiomicsExtractor(**FAST).transform([flat.replace(image=image)])


@pytest.fixture
def files(tmp_path):
    return rd.read_cohort(rd.write_cohort(SHARED[2:5], tmp_path / "cohort"))


@pytest.fixture
def read(monkeypatch):
    from radiodeep.cases.formats.nifti import read_nifti

    paths = []
    monkeypatch.setattr("radiodeep.cases.readers.read_nifti", lambda path: paths.append(path.name) or read_nifti(path))
    return paths


def test_each_file_is_read_once_for_all_extractors(files, read, tmp_path):
    extractors = {"both": rd.RadiomicsExtractor(**FAST), "T1": rd.RadiomicsExtractor(families=["glcm"], image="T1")}
    rd.extract_tables(extractors, files, cache_dir=tmp_path / "rows")
    assert len(read) == len(set(read)) == 3 + 3 + 2
    read.clear()
    rd.RadiomicsExtractor(**FAST).transform(files)
    assert len(read) == len(set(read)) == 8
    for cache_dir in (None, tmp_path / "others"):
        read.clear()
        table = rd.extract_table(rd.RadiomicsExtractor(image="PET", **FAST), files, cache_dir=cache_dir)
        assert len(read) == len(set(read)) == 4  # neither T1 nor the case without PET
        assert table.isna().all(axis=1).tolist() == [False, True, False]


def test_the_cache_knows_each_image(files, tmp_path, monkeypatch):
    measured = []
    row_of = Measurement.row_of
    monkeypatch.setattr(
        Measurement, "row_of", lambda self, case, image: measured.append(image) or row_of(self, case, image)
    )
    both, t1 = rd.RadiomicsExtractor(**FAST), rd.RadiomicsExtractor(image="T1", **FAST)
    first = rd.extract_table(both, files, cache_dir=tmp_path / "rows")
    rd.extract_table(t1, files, cache_dir=tmp_path / "rows")
    assert len(measured) == 5 + 3
    np.testing.assert_array_equal(rd.extract_table(both, files, cache_dir=tmp_path / "rows"), first)
    assert len(measured) == 8
    case = files[0].in_memory()
    changed = case.replace(image=case.image | {"PET": case.image["PET"] + 1})
    second = rd.extract_table(both, [changed, *files[1:]], cache_dir=tmp_path / "rows")
    assert len(measured) == 10
    assert (second.iloc[0] != first.iloc[0])["PET_original_firstorder_Mean"]
    rd.extract_table(t1, [changed, *files[1:]], cache_dir=tmp_path / "rows")
    assert len(measured) == 10  # T1 is as it was


@pytest.mark.parametrize("extractor", [rd.RadiomicsExtractor(**FAST), rd.DeepFeatureExtractor()])
def test_an_image_that_is_added_leaves_the_cached_rows_of_the_others(extractor, tmp_path, monkeypatch):
    kind = type(extractor)
    measured = []
    name = "rows_of" if hasattr(kind, "rows_of") else "transform"
    compute = getattr(kind, name)
    monkeypatch.setattr(kind, name, lambda self, *args: measured.append(self.image) or compute(self, *args))
    t1 = [
        case.replace(image={"T1": case.image["T1"]}, mask={"T1": case.mask["T1"]}, spacing_mm=(1.5, 1, 1))
        for case in OWN[:4]
    ]
    alone = rd.extract_table(extractor, t1, cache_dir=tmp_path)
    assert alone.columns[0].startswith("T1_")
    measured.clear()
    both = rd.extract_table(extractor, OWN[:4], cache_dir=tmp_path)
    assert set(measured) == {"PET"}
    np.testing.assert_array_equal(both[alone.columns], alone)
    assert both.loc["phantom-003"].notna().sum() == alone.shape[1]
    measured.clear()
    np.testing.assert_array_equal(rd.extract_table(extractor, OWN[:4], cache_dir=tmp_path), both)
    assert measured == []
    assert extractor.image_names_ == ("T1", "PET")
    assert extractor.image is None


def test_mixed_acquisitions_are_named_by_image():
    cases = [two_images(number, spacing_mm={"T1": (1, 1, 1), "PET": (1 + number, 1, 1)}) for number in range(2)]
    with pytest.warns(RadiodeepWarning, match="^RadiomicsExtractor, PET: Spacing differs") as caught:
        rd.extract_table(rd.RadiomicsExtractor(**FAST), cases)
    assert len(caught) == 1
    with pytest.warns(RadiodeepWarning, match="^RadiomicsExtractor, PET: Spacing differs"):
        rd.RadiomicsExtractor(**FAST).fit_transform(cases)
    rd.extract_table(rd.RadiomicsExtractor(image="T1", **FAST), cases)
    resampled = rd.RadiomicsExtractor(image="PET", resample_mm=2, **FAST)
    rd.extract_tables({"T1": rd.RadiomicsExtractor(image="T1", **FAST), "PET": resampled}, cases)


MEAN = {"families": {"firstorder": ["Mean", "Entropy"]}}


def test_a_study_imputes_missing_images_in_the_fold_or_says_what_to_do():
    study = {"cv": 2, "n_repeats": 1, "size": None}
    model = make_pipeline(rd.RadiomicsExtractor(**MEAN), SimpleImputer(strategy="median"), GaussianNB())
    assert rd.cross_validated_auc(model, OWN, OWN.labels, **study).excluded == {}
    assert rd.cross_validated_auc(model, OWN, OWN.labels, on_error="exclude", **study).excluded == {}
    bare = make_pipeline(rd.RadiomicsExtractor(**MEAN), GaussianNB())
    with pytest.raises(
        StudyError, match="'PET_original_firstorder_.*' of case 'phantom-003'. Put .*SimpleImputer into the"
    ):
        rd.cross_validated_auc(bare, OWN, OWN.labels, **study)
    pet = make_pipeline(rd.RadiomicsExtractor(image="PET", **MEAN), GaussianNB())
    result = rd.cross_validated_auc(pet, OWN, OWN.labels, on_error="exclude", **study)
    assert result.excluded == {"phantom-003": LACKING}
    table = rd.extract_table(rd.RadiomicsExtractor(), OWN)
    assert rd.cross_validated_auc(model[1:], table, OWN.labels, on_error="exclude", **study).excluded == {}


def test_a_table_knows_the_size_of_the_first_image_that_is_there():
    table = rd.extract_table(rd.RadiomicsExtractor(families=["shape"]), [OWN[0], two_images(1)])
    from radiodeep.study.inputs import rows_of

    np.testing.assert_array_equal(rows_of(table).region_sizes(), table["T1_original_shape_VoxelVolume"])
    pet = OWN[1].replace(image={"T1": None, "PET": OWN[1].image["PET"]}, mask={"PET": OWN[1].mask["PET"]}, id="pet")
    table = rd.extract_table(rd.RadiomicsExtractor(families=["shape"]), [OWN[0], pet])
    assert rows_of(table).region_sizes()[1] == table.loc["pet", "PET_original_shape_VoxelVolume"]


def test_scores_compare_each_image_with_its_training_and_name_missing_ones(tmp_path):
    union = make_union(rd.RadiomicsExtractor(image="T1", **MEAN), rd.RadiomicsExtractor(image="PET", **MEAN))
    for extractor in (rd.RadiomicsExtractor(**MEAN), union):
        model = make_pipeline(extractor, SimpleImputer(), GaussianNB()).fit(OWN, OWN.labels)
        odd = OWN[0].replace(image=OWN[0].image | {"PET": OWN[0].image["PET"] * 10 + 900}, id="odd")
        scores = rd.score_cohort(model, [OWN[1], odd, OWN[3]])
        assert scores["error"].tolist() == ["", "", ""]
        remarks = scores["outside_training_range"].tolist()
        assert remarks[0] == ""
        assert remarks[1].startswith("PET: intensities")
        assert "PET_original_firstorder_Mean" in remarks[1]
        assert remarks[2] == "PET: no image"
        np.testing.assert_array_equal(scores["probability_1"], model.predict_proba([OWN[1], odd, OWN[3]])[:, 1])
        again = rd.score_cohort(model, [OWN[1], odd, OWN[3]], cache_dir=tmp_path)
        np.testing.assert_array_equal(again["probability_1"], scores["probability_1"])
    assert pickle.loads(pickle.dumps(model)).predict(OWN).tolist() == model.predict(OWN).tolist()


def test_a_model_that_cannot_use_gaps_says_which_image_a_new_case_lacks():
    complete = rd.Cohort([case for case in OWN if case.id != "phantom-003"])
    model = make_pipeline(rd.RadiomicsExtractor(**MEAN), GaussianNB()).fit(complete, complete.labels)
    flat = two_images(0, id="flat").replace(
        image=dict.fromkeys(("T1", "PET"), PHANTOMS[0].voxels[12:13]), mask=PHANTOMS[0].roi[12:13]
    )
    errors = rd.score_cohort(model, [OWN[3], OWN[0], flat])["error"].tolist()
    assert errors[0].startswith(
        "MissingImageError: phantom-003: there is no image 'PET', and the model has no step for it"
    )
    assert errors[1] == ""
    plain = "MissingImageError: phantom-000: there is no image 'T1'; it has one image without a name."
    assert rd.score_cohort(model, PHANTOMS[:1])["error"][0] == plain
    assert errors[2].startswith("ModelError: flat: the model was trained on volumes, and this case is a 2-D image")
    pet = make_pipeline(rd.RadiomicsExtractor(image="PET", **MEAN), GaussianNB()).fit(complete, complete.labels)
    error = rd.score_cohort(pet, OWN)["error"][3]
    assert error == LACKING
    model[0].set_params(image="T1")
    with pytest.raises(rd.exceptions.FeatureSchemaError, match=r"image='T1' \(was None\)"):
        rd.score_cohort(model, OWN)


def channels_of(network, cases):
    deep = rd.DeepFeatureExtractor(network, weights="random", seed=0, channel="images")
    return deep, deep.fit_transform(cases)


def three(number, names=("T1", "T2", "FLAIR")):
    a = PHANTOMS[number]
    images = {name: np.abs(a.voxels.astype(float)) ** (1 + place / 2) for place, name in enumerate(names)}
    return rd.Case(images, a.roi, a.id, a.spacing_mm)


def test_images_on_one_grid_are_the_channels_of_a_network(monkeypatch):
    seen = []
    from radiodeep.features.deep.reader import FeatureReader

    rows = FeatureReader.rows
    monkeypatch.setattr(
        FeatureReader, "rows", lambda self, loaded, images, n: seen.extend(images) or rows(self, loaded, images, n)
    )
    cases = [three(0), three(1)]
    deep, values = channels_of("cnn_s", cases)
    assert values.shape == (2, len(deep.get_feature_names_out()))
    assert deep.get_feature_names_out()[0].startswith("T1+T2+FLAIR_cnn_s_")
    stacked = seen[:2]
    for place, name in enumerate(("T1", "T2", "FLAIR")):
        single = rd.DeepFeatureExtractor("cnn_s", weights="random", seed=0, image=name).fit(cases)
        seen.clear()
        single.transform(cases)
        for case in range(2):
            np.testing.assert_array_equal(stacked[case][:, place], seen[case][:, 0])
    seen.clear()
    channels_of("cnn_s", [three(0, ("T1", "T2"))])
    np.testing.assert_array_equal(seen[0][:, 2], (seen[0][:, 0] + seen[0][:, 1]) / 2)
    np.testing.assert_array_equal(seen[0][:, :2], stacked[0][:, :2])


def test_channels_that_do_not_fit_are_refused_or_missing():
    lacking = three(1).replace(image=three(1).image | {"T2": None})
    deep, rows = channels_of("cnn_s", [three(0), lacking])
    assert np.isnan(rows[1]).all()
    assert not np.isnan(rows[0]).any()
    text = "MissingImageError: phantom-001: there is no image 'T2'; it has T1, FLAIR."
    assert rd.extract_table(deep, [three(0), lacking]).attrs["errors"] == {"phantom-001": text}
    with pytest.raises(InputError, match="channel='images' shows all images at once"):
        deep.saliency([three(0)], deep.get_feature_names_out()[0])
    with pytest.raises(GeometryMismatchError, match="phantom-000: the images T1, PET must share a grid and one mask"):
        channels_of("cnn_s", OWN[:1])
    spaced = three(0).replace(spacing_mm={"T1": (1, 1, 1), "T2": (1, 1, 1), "FLAIR": (2, 1, 1)})
    with pytest.raises(GeometryMismatchError, match="must share a grid"):
        channels_of("cnn_s", [spaced])
    with pytest.raises(InputError, match="up to 3 images. Got 4: a, b, c, d. Choose some"):
        channels_of("cnn_s", [three(0, ("a", "b", "c", "d"))])
    with pytest.raises(InputError, match="phantom-000: channel='images' needs several images"):
        channels_of("cnn_s", PHANTOMS[:1])
    with pytest.raises(InputError, match="takes 1 channel, so channel='images' has no meaning"):
        rd.DeepFeatureExtractor(channel="images").fit([three(0)])


def test_what_takes_one_image_says_how_to_choose_it():
    labels = OWN.labels
    way_out = r"phantom-000: the case has 2 images, T1, PET. Choose one: case.of_image\('T1'\), cohort.of_image"
    for action in (
        lambda: rd.FineTunedFeatureExtractor().fit(OWN, labels),
        lambda: rd.suggest_bin_width(OWN),
        lambda: rd.extract_perturbed(rd.RadiomicsExtractor(**FAST), OWN),
    ):
        with pytest.raises(AmbiguousImageError, match=way_out):
            action()
    with pytest.raises(InputError, match="fine_tune learns from cases of one image, so image='T1'"):
        rd.DeepFeatureExtractor(image="T1", fine_tune=rd.FineTuning()).fit(OWN, labels)
    advice = rd.suggest_bin_width(OWN, rd.RadiomicsExtractor(families=["firstorder"], image="T1"))
    assert advice.bin_width == rd.suggest_bin_width(OWN.of_image("T1")).bin_width


def test_settings_name_the_images_that_were_measured():
    assert json.dumps(rd.RadiomicsExtractor().fit(SHARED).settings()["image"]) == '["T1", "PET", true]'
    assert rd.DeepFeatureExtractor(image="T1").fit(SHARED).settings()["image"] == ["T1", False]


def test_pet_and_mr_of_sarcomas_are_measured_as_each_alone(reference_data):
    pet = rd.read_cohort(reference_data / "sts_pet" / "manifest.csv")
    frame = pet.frame[["id", "label"]]
    for name in ("PET", "MR"):
        folder = reference_data / f"sts_{name.lower()}"
        for kind in ("image", "mask"):
            paths = [folder / f"{case_id}_{kind}.nii.gz" for case_id in pet.ids]
            frame = frame.assign(**{f"{kind}_{name}": [str(path) if path.exists() else "" for path in paths]})
    both = rd.Cohort.from_frame(frame)
    without = [case.id for case in both if case.image["MR"] is None]
    assert without == ["STS_009", "STS_020"]
    both = both[[2, 8, 11]]  # the second lacks MR
    extractor = rd.RadiomicsExtractor(bin_count=32, resample_mm=3)
    table = rd.extract_table(extractor, both, on_error="record")
    assert table.attrs["errors"] == {"STS_009": "MissingImageError: STS_009: there is no image 'MR'; it has PET."}
    for name in ("PET", "MR"):
        parts = rd.Cohort([case.single_images()[name] for case in both if name in case.single_images()])
        alone = rd.extract_table(rd.RadiomicsExtractor(bin_count=32, resample_mm=3), parts)
        columns = [f"{name}_{column}" for column in alone.columns]
        np.testing.assert_array_equal(table.loc[alone.index, columns], alone)
        assert table.drop(index=alone.index)[columns].isna().all(axis=None)
