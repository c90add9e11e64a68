import numpy as np
import pytest
from sklearn.base import clone

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning, TrainingError
from radiodeep.networks.training import adversarial

QUICK = {"size": 16, "width": 4, "epochs": 2, "n_views": 2, "batch_size": 8}


def disc(number, label, radius, n_slices=1):
    """A disc of CT-like whole numbers, in pixels of 2 x 1 mm."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:24, :36]
    roi = ((rows - 12) * 2) ** 2 + (columns - 18) ** 2 <= radius**2
    image = np.where(roi, 40, -800) + rng.integers(-20, 20, roi.shape)
    stack = [array[np.newaxis].repeat(n_slices, axis=0) for array in (image, roi)]
    return rd.Case(*stack, f"case-{number}", (5, 2, 1), f"patient-{number}", label)


@pytest.fixture(scope="module")
def cases():
    return [disc(number, int(number > 7), 7 + number % 3 + 5 * (number > 7)) for number in range(12)]


@pytest.fixture(scope="module")
def labels(cases):
    return np.array([case.label for case in cases])


@pytest.fixture(scope="module")
def fitted(cases, labels):
    return rd.LesionGenerator(**QUICK).fit(cases, labels)


def test_the_smaller_class_is_filled_up_behind_the_real_cases(cases, labels):
    more, of_more = rd.LesionGenerator(**QUICK).fit_resample(cases, labels)
    assert all(new is old for new, old in zip(more, cases, strict=False))
    assert of_more.tolist() == labels.tolist() + [1] * 4
    assert [case.label for case in more] == of_more.tolist()
    assert len({case.id for case in more}) == 16


def test_every_class_gets_the_number_that_is_asked_for(cases, labels):
    _, of_more = rd.LesionGenerator(n_per_class=3, **QUICK).fit_resample(cases, labels)
    assert of_more[12:].tolist() == [0, 0, 0, 1, 1, 1]


def test_generated_cases_are_in_the_units_of_the_originals_and_say_what_they_are(fitted, cases):
    generated = fitted.generate(1, 5)
    extremes = [value for case in cases for value in (case.voxels.min(), case.voxels.max())]
    for case in generated:
        assert case.patient == case.id
        assert case.id.startswith("generated-")
        assert len(case.clinical["generated_from"].split()) == 12
        assert case.spacing_mm == (5, 2, 1)
        assert min(extremes) <= case.voxels.min() < case.voxels.max() <= max(extremes)
        assert (case.voxels == np.rint(case.voxels)).all()
        assert case.roi.any()


def test_same_seed_same_cases_and_another_seed_others(fitted, cases, labels):
    again = clone(fitted).fit(cases, labels)
    first, same, other = fitted.generate(0, 2), again.generate(0, 2), fitted.generate(0, 2, random_state=7)
    assert [case.content_hash() for case in first] == [case.content_hash() for case in same]
    assert {case.id for case in first}.isdisjoint(case.id for case in other)
    assert first[0].content_hash() != other[0].content_hash()


def test_a_killed_training_goes_on_with_the_same_result(fitted, cases, labels, tmp_path, monkeypatch):
    step = adversarial._step
    done = []

    def killed(*arguments):
        done.append(1)
        if len(done) == 6:  # in the second epoch
            raise KeyboardInterrupt
        return step(*arguments)

    generator = clone(fitted).set_params(checkpoint_dir=tmp_path)
    monkeypatch.setattr(adversarial, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        generator.fit(cases, labels)
    done[:] = [0] * 10
    generator.fit(cases, labels)
    assert len(done) == 14  # the first epoch is not repeated
    assert generator.history_ == fitted.history_
    assert all((generator.weights_[name] == fitted.weights_[name]).all() for name in fitted.weights_)


def test_a_collapsed_generator_is_warned_of(fitted, cases, labels, monkeypatch):
    outputs = rd.LesionGenerator._outputs

    def collapsed(self, number, n, random):
        images, facts = outputs(self, number, n, random)
        return (images if number else images[:1].repeat(n, axis=0)), facts

    monkeypatch.setattr(rd.LesionGenerator, "_outputs", collapsed)
    with pytest.warns(RadiodeepWarning, match="cases of class 0 are alike: their diversity is 0% of that of the real"):
        generator = clone(fitted).fit(cases, labels)
    assert generator.diversity_[0] == 0
    assert generator.diversity_[1] == fitted.diversity_[1]


def test_losses_that_are_not_finite_are_an_error(cases, labels):
    with pytest.raises(TrainingError, match=r"The losses of epoch 1 are .* lower learning rate than 1e\+30"):
        rd.LesionGenerator(**QUICK | {"learning_rate": 1e30}).fit(cases, labels)


def test_volumes_are_learned_by_their_largest_slice_with_a_warning():
    volumes = [disc(number, number % 2, 8, n_slices=3) for number in range(4)]
    with pytest.warns(RadiodeepWarning, match="cases are volumes, and generated cases are single slices"):
        more, _ = rd.LesionGenerator(n_per_class=1, **QUICK).fit_resample(volumes, [0, 1, 0, 1])
    assert more[-1].roi.shape[0] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 20}, "'size' parameter of LesionGenerator must be one of 16, 32, 64, 128"),
        ({"width": 6}, "'width' parameter of LesionGenerator must be a multiple of 4"),
        ({"n_per_class": -1}, "'n_per_class' parameter of LesionGenerator must be None or an int >= 0"),
        ({"margin": -0.1}, "'margin' parameter of LesionGenerator must be a float >= 0"),
        ({"random_state": None}, "'random_state' parameter of LesionGenerator must be an int >= 0"),
        ({"n_threads": 0}, "'n_threads' parameter of LesionGenerator must be an int >= 1"),
        ({"epochs": 0}, "'epochs' parameter of LesionGenerator must be an int >= 1"),
    ],
)
def test_settings_out_of_range_are_named(cases, labels, settings, message):
    with pytest.raises(InputError, match=message):
        rd.LesionGenerator(**settings).fit(cases, labels)


def test_labels_that_no_generator_can_learn_are_refused(cases, fitted):
    with pytest.raises(InputError, match="two cases of every class. Got 1 of 1"):
        rd.LesionGenerator().fit(cases, [0] * 11 + [1])
    with pytest.raises(InputError, match="two cases of every class. Got no case"):
        rd.LesionGenerator().fit([], [])
    with pytest.raises(InputError, match="a label for each of 12 cases. Got 2 labels"):
        rd.LesionGenerator().fit(cases, [0, 1])
    with pytest.raises(InputError, match="'label' parameter of generate must be one of 0, 1. Got 'x'"):
        fitted.generate("x", 1)


def test_masks_without_a_region_are_an_error(fitted, monkeypatch):
    monkeypatch.setattr(fitted, "_outputs", lambda number, n, random: (-np.ones((n, 2, 16, 16)), np.zeros((n, 3))))
    with pytest.raises(TrainingError, match="20 attempts per case of class 0, too few have .* more than one intensity"):
        fitted.generate(0, 1)


def test_a_saved_generator_makes_the_same_cases(fitted, tmp_path):
    loaded = rd.load_model(rd.save_model(fitted, tmp_path / "generator.skops"))
    assert loaded.generate(1, 1)[0].content_hash() == fitted.generate(1, 1)[0].content_hash()


@pytest.mark.slow
def test_generated_discs_have_the_sizes_and_the_diversity_of_their_class():
    cases = [disc(number, number % 2, 6 + number % 3 + 4 * (number % 2)) for number in range(40)]
    labels = [case.label for case in cases]
    generator = rd.LesionGenerator(size=16, width=8, epochs=6, n_views=30).fit(cases, labels)
    for label in (0, 1):
        real = [case.roi_size_mm for case in cases if case.label == label]
        generated = [case.roi_size_mm for case in generator.generate(label, 40)]
        assert 0.75 < np.median(generated) / np.median(real) < 1.3
    inside = np.concatenate([case.voxels[case.roi] for case in generator.generate(0, 20)])
    assert -250 < np.median(inside) < 100  # of 40, in surroundings of -800
    assert generator.diversity_.min() > 0.5
