"""Networks are shown the images of a case as channels."""

import numpy as np
import pytest
from PIL import Image

import radiodeep as rd
from radiodeep.exceptions import GeometryMismatchError, InputError


def test_a_network_is_shown_the_colours_of_pictures(tmp_path):
    """Two classes that differ in colour alone: their luminance is the same."""
    shown = []
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 60, (20, 20, 3), dtype=np.uint8)
        pixels[..., number % 2] += 100
        path = tmp_path / ("red", "green")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        shown.append(pixels)
    cohort = rd.read_image_folder(tmp_path)
    model = rd.CNNClassifier("arch3", epochs=2, batch_size=4, intensity_range=(0, 255), validation_fraction=0)
    model.fit(cohort, cohort.labels)
    order = [int(case_id.split("-")[1]) for case_id in cohort.ids]
    arrays = np.stack([shown[number] for number in order]).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(model.predict_proba(arrays), model.predict_proba(cohort), atol=1e-6)
    with pytest.raises(InputError, match="The network is shown the images red, green, blue of every case"):
        model.predict(cohort.of_image("red"))
    grey = rd.CNNClassifier("arch3", epochs=1, batch_size=4).fit(cohort.of_image("red"), cohort.labels)
    with pytest.raises(InputError, match="has the images red, green, blue. The network is shown one image"):
        grey.predict(cohort)


def test_images_are_channels_in_the_order_of_training():
    rng = np.random.default_rng(0)
    volumes = rng.normal(size=(8, 2, 1, 12, 12))
    volumes[::2, 0] += 2
    volumes = volumes.clip(-2, 4)
    mask = np.ones((1, 12, 12))
    cases = [
        rd.Case({"T1": one, "T2": two}, mask, f"n-{number}", spacing_mm=(1, 1, 1), label=number % 2)
        for number, (one, two) in enumerate(volumes)
    ]
    swapped = [case.replace(image={"T2": case.image["T2"], "T1": case.image["T1"]}) for case in cases]
    model = rd.CNNClassifier("arch3", epochs=1, batch_size=4, intensity_range=(-2, 4))
    model.fit(cases, [case.label for case in cases])
    np.testing.assert_array_equal(model.predict_proba(swapped), model.predict_proba(cases))
    planes = (volumes[:, :, 0] + 2) / 6
    planes = np.concatenate([planes, planes.mean(axis=1, keepdims=True)], axis=1)  # the third plane is the mean
    expected = model.predict_proba(cases)
    np.testing.assert_allclose(model.set_params(intensity_range=None).predict_proba(planes), expected, atol=1e-6)
    model.set_params(intensity_range=(-2, 4))
    with pytest.raises(InputError, match="n-0: the case has the images T1. The network is shown the images T1, T2"):
        model.predict([cases[0].replace(image={"T1": volumes[0, 0], "T2": None})])
    with pytest.raises(GeometryMismatchError, match="n-0: the images T1, T2 must share a grid and one mask"):
        model.predict([cases[0].replace(mask={"T1": mask, "T2": mask})])
    whole = cases[0].replace(image={"T1": volumes[0, 0], "T2": np.ones((1, 14, 12))}, mask="whole")
    with pytest.raises(GeometryMismatchError, match="n-0: the images T1, T2 must share a grid"):
        model.predict([whole])
    with pytest.raises(InputError, match="n-0: a network of 1 channels cannot be shown the images T1, T2 at once"):
        rd.CNNClassifier("radiodeep-mini", epochs=1).fit(cases, [case.label for case in cases])
