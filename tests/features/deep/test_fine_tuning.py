"""Fine-tuning follows the studies' schedule, happens inside the fold, and is the same for a seed."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning, TrainingError
from radiodeep.features.deep.fine_tuning import _warn_if_unchanged, tuned_state
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.training.fitting import last_layers
from radiodeep.networks.weights.loading import classifier_prefixes

COHORT = rd.make_phantom_cohort(12, random_state=4)
STRONG = rd.FineTuning(learning_rate=0.02, head_learning_rate=0.1, n_iterations=12, step=100)


def test_the_learning_rates_are_those_of_the_studies():
    study = rd.FineTuning(learning_rate=1e-5, head_learning_rate=None)
    assert study.learning_rates == pytest.approx([1e-5] * 4 + [1e-6] * 4 + [1e-7] * 2, rel=1e-12)
    longer = rd.FineTuning(learning_rate=1e-5, n_iterations=20).learning_rates
    assert longer == pytest.approx(np.repeat([1e-5, 1e-6, 1e-7, 1e-8, 1e-9], 4), rel=1e-12)


def test_the_network_learns_the_cases_and_its_features_change():
    plain = rd.DeepFeatureExtractor().fit(COHORT).transform(COHORT)
    tuned = rd.DeepFeatureExtractor(fine_tune=STRONG).fit(COHORT, COHORT.labels)
    features = tuned.transform(COHORT)
    assert features.shape == plain.shape
    assert tuned.get_feature_names_out().tolist() == rd.DeepFeatureExtractor().get_feature_names_out().tolist()

    def separation(values):
        first, second = (values[np.asarray(COHORT.labels) == label] for label in np.unique(COHORT.labels))
        spread = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2) + 1e-6
        return np.abs((first.mean(axis=0) - second.mean(axis=0)) / spread).mean()

    assert separation(features) > separation(plain)


def test_the_same_seed_gives_the_same_features_and_another_seed_others():
    def tuned(seed):
        plan = rd.FineTuning(learning_rate=0.01, seed=seed)
        return rd.DeepFeatureExtractor(fine_tune=plan).fit(COHORT, COHORT.labels).transform(COHORT[:3])

    np.testing.assert_array_equal(tuned(0), tuned(0))
    assert not np.array_equal(tuned(0), tuned(1))


@pytest.mark.filterwarnings("ignore:FineTuning")
@pytest.mark.slow  # trains networks in every fold
def test_it_learns_in_every_fold_and_nothing_from_the_case_that_is_left_out():
    extractor = rd.DeepFeatureExtractor(fine_tune=STRONG)
    assert get_tags(extractor).requires_fit
    assert not get_tags(rd.DeepFeatureExtractor()).requires_fit
    model = make_pipeline(extractor, GaussianNB())
    few = COHORT[:6]
    result = rd.cross_validated_auc(model, few, few.labels)
    rest = [case for number, case in enumerate(few) if number != 5]
    alone = clone(model).fit(rest, np.delete(few.labels, 5))
    expected = alone.predict_proba([few[5]])[0, 1]
    assert result.predictions.loc[few[5].id, "probability"] == pytest.approx(expected, abs=1e-9)


def test_a_tuned_extractor_is_saved_and_copied_with_its_weights(tmp_path):
    model = make_pipeline(rd.DeepFeatureExtractor(fine_tune=STRONG), GaussianNB()).fit(COHORT, COHORT.labels)
    expected = model.predict_proba(COHORT[:3])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(COHORT[:3]), expected)
    rd.save_model(model, tmp_path / "tuned.skops")
    np.testing.assert_array_equal(rd.load_model(tmp_path / "tuned.skops").predict_proba(COHORT[:3]), expected)
    with pytest.raises(NotFittedError):
        clone(model)[0].transform(COHORT[:3])


@pytest.mark.slow
def test_a_second_fit_forgets_the_first():
    extractor = rd.DeepFeatureExtractor(fine_tune=STRONG).fit(COHORT, COHORT.labels)
    first = extractor.transform(COHORT[:2])
    other = extractor.fit(COHORT[:8], COHORT.labels[:8]).transform(COHORT[:2])
    assert not np.array_equal(first, other)
    fresh = rd.DeepFeatureExtractor(fine_tune=STRONG).fit(COHORT[:8], COHORT.labels[:8])
    np.testing.assert_array_equal(other, fresh.transform(COHORT[:2]))


def test_a_setting_changed_after_fitting_takes_effect():
    extractor = rd.DeepFeatureExtractor(fine_tune=STRONG).fit(COHORT, COHORT.labels)
    whole = extractor.transform(COHORT[:2])
    for changes in ({"precision": "bfloat16"}, {"layer": "blocks.1", "precision": "float32"}):
        changed = extractor.set_params(**changes).transform(COHORT[:2])
        np.testing.assert_array_equal(changed, pickle.loads(pickle.dumps(extractor)).transform(COHORT[:2]))
        assert not np.array_equal(changed, whole)


@pytest.mark.filterwarnings("ignore:FineTuning")
def test_a_tuned_extractor_needs_no_other_weights(tmp_path):
    path = tmp_path / "start.safetensors"
    save_file(build_network("radiodeep-mini", in_channels=1, n_classes=0).state_dict(), path)
    extractor = rd.DeepFeatureExtractor(weights=str(path), fine_tune=STRONG).fit(COHORT, COHORT.labels)
    path.unlink()
    assert extractor.get_feature_names_out().size == extractor.transform(COHORT[:1]).shape[1]
    assert extractor.transform([]).shape == (0, 128)
    assert extractor.settings()["weights_sha256"] == extractor.weights_sha256_


@pytest.mark.parametrize(
    ("n_layers", "expected"),
    [
        (0, {"head"}),
        (2, {"head", "mixture.0", "mixture.1"}),
        (None, None),
    ],
)
def test_how_much_of_the_network_learns(n_layers, expected):
    network = build_network("radiodeep-mini", in_channels=1, n_classes=2)
    learning = last_layers(network, classifier_prefixes(network), n_layers)
    trained = {id(weights) for weights in learning}
    names = {name.rpartition(".")[0] for name, weights in network.named_parameters() if id(weights) in trained}
    layers = {name.rpartition(".")[0] for name, _ in network.named_parameters()}
    assert names == (layers if expected is None else expected)
    assert len(last_layers(network, classifier_prefixes(network), 1000)) == len(list(network.parameters()))


@pytest.mark.filterwarnings("ignore:FineTuning")
def test_the_new_layer_may_learn_alone_at_first():
    images = torch.rand(8, 1, 64, 64)
    start = build_network("radiodeep-mini", in_channels=1, n_classes=0)
    weights = start.state_dict()
    plan = rd.FineTuning(learning_rate=0.1, n_iterations=3, head_iterations=3)
    state = tuned_state(plan, "radiodeep-mini", weights, None, images, [0, 1] * 4, "cpu", "float32")
    assert all(np.array_equal(state[name], weights[name].numpy()) for name in state if "num_batches" not in name)
    plan = rd.FineTuning(learning_rate=0.1, n_iterations=4, head_iterations=3)
    state = tuned_state(plan, "radiodeep-mini", weights, None, images, [0, 1] * 4, "cpu", "float32")
    assert not np.array_equal(state["stem.0.weight"], weights["stem.0.weight"].numpy())


def test_three_classes_and_networks_with_one_output():
    labels = [0, 1, 2] * 4
    tuned = rd.DeepFeatureExtractor(fine_tune=rd.FineTuning(n_iterations=1)).fit(COHORT, labels)
    assert np.isfinite(tuned.transform(COHORT)).all()
    plan = rd.FineTuning(n_iterations=1, balanced=True)
    own = rd.DeepFeatureExtractor("arch3", weights="random", seed=0, fine_tune=plan)
    assert own.fit(COHORT, COHORT.labels).transform(COHORT).shape == (12, 1024)


def test_several_slices_of_a_case_all_carry_its_label():
    plan = rd.FineTuning(n_iterations=1)
    tuned = rd.DeepFeatureExtractor(slice="all", fine_tune=plan).fit(COHORT, COHORT.labels)
    assert tuned.transform(COHORT).shape == rd.DeepFeatureExtractor().transform(COHORT).shape


@pytest.mark.filterwarnings("ignore:FineTuning")
@pytest.mark.parametrize("balanced", [True, False])
def test_a_case_of_many_slices_weighs_no_more_than_one_of_few(balanced):
    generator = torch.Generator().manual_seed(0)
    labels = [0, 1, 0, 1, 1]
    images = torch.rand(5, 1, 64, 64, generator=generator) * (0.2 + 0.2 * torch.arange(5)).view(5, 1, 1, 1)
    weights = build_network("radiodeep-mini", in_channels=1, n_classes=0).state_dict()
    plan = rd.FineTuning(learning_rate=0.1, head_learning_rate=1.0, n_iterations=3, batch_size=100, balanced=balanced)

    def tuned(counts):
        shown = images.repeat_interleave(torch.tensor(counts), dim=0)
        return tuned_state(plan, "radiodeep-mini", weights, None, shown, labels, "cpu", "float32", counts)

    once, often = tuned([1] * 5), tuned([4, 1, 1, 2, 1])
    moved = np.abs(once["stem.0.weight"] - weights["stem.0.weight"].numpy()).max()
    assert moved > 1e-4
    for name, value in once.items():
        np.testing.assert_allclose(often[name], value, atol=moved / 20)


def test_images_are_augmented_before_they_are_normalised():
    seen = []

    class Watch:
        def apply(self, images, generator):
            seen.append(images)
            return images

    plan = rd.FineTuning(n_iterations=1, augmentation=Watch())
    rd.DeepFeatureExtractor("resnet10t", weights="random", seed=0, fine_tune=plan).fit(COHORT[:4], COHORT.labels[:4])
    assert torch.cat(seen).shape == (4, 3, 176, 176)
    assert (float(torch.cat(seen).min()), float(torch.cat(seen).max())) == (0, 1)


def test_a_fine_tuning_that_changes_nothing_gives_a_warning():
    plan = rd.FineTuning(learning_rate=1e-5, head_learning_rate=None)  # of the studies
    with pytest.warns(
        RadiodeepWarning, match=r"FineTuning: the training loss did not fall by 1 % \(from .*nearly those"
    ):
        rd.DeepFeatureExtractor(fine_tune=plan).fit(COHORT, COHORT.labels)
    plan = rd.FineTuning(learning_rate=1e-9)
    with pytest.warns(RadiodeepWarning, match=r"FineTuning: features moved by .* of their standard deviation"):
        rd.DeepFeatureExtractor(fine_tune=plan).fit(COHORT, COHORT.labels)


def test_only_features_that_hardly_moved_are_said_to_be_those_of_the_network_as_it_came():
    before = torch.arange(12.0).reshape(4, 3)
    flat, rising = ([{"loss": first}, {"loss": last}] for first, last in ((1.0, 1.0), (1.0, 2.0)))
    with pytest.warns(RadiodeepWarning, match=r"did not fall by 1 % .* in the last\)\. The features are nearly those"):
        _warn_if_unchanged(flat, before, before)
    with pytest.warns(RadiodeepWarning, match=r"did not fall by 1 % .* in the last\)\. Take a higher learning_rate"):
        _warn_if_unchanged(flat, before, before * 2)
    with pytest.warns(RadiodeepWarning, match=r"FineTuning: the training loss rose .* Take a lower learning_rate"):
        _warn_if_unchanged(rising, before, before * 2)


def test_a_plan_saved_before_the_new_layer_had_a_rate_of_its_own_keeps_one_for_all():
    plan = rd.FineTuning.__new__(rd.FineTuning)
    plan.__setstate__({"learning_rate": 1e-5, "n_iterations": 10})
    assert plan.head_learning_rate is None


def test_the_plan_is_searched_as_part_of_the_extractor():
    extractor = rd.DeepFeatureExtractor(fine_tune=rd.FineTuning(n_iterations=2))
    changed = clone(extractor).set_params(fine_tune__learning_rate=0.01)
    assert changed.fine_tune == rd.FineTuning(n_iterations=2, learning_rate=0.01)
    assert extractor.fine_tune == rd.FineTuning(n_iterations=2)
    with pytest.raises(InputError, match="'decay' parameter of FineTuning must be a float > 0 and <= 1. Got 3"):
        changed.set_params(fine_tune__decay=3).fit(COHORT, COHORT.labels)


def test_the_text_of_a_plan_names_all_its_settings():
    """Saved models compare it."""
    assert repr(rd.FineTuning()) == (
        "FineTuning(n_iterations=10, learning_rate=0.0003, step=4, decay=0.1, batch_size=16, optimizer='sgd', "
        "weight_decay=0.0005, n_layers=None, head_iterations=0, augmentation=None, balanced=False, seed=0, "
        "head_learning_rate=0.01)"
    )


def test_the_training_of_a_plan_has_its_settings():
    plan = rd.FineTuning(batch_size=5, optimizer="rmsprop", weight_decay=0.1, augmentation=rd.Augmentation(noise=0.1))
    training = plan.training(input_specification("radiodeep-mini"), "bfloat16")
    assert (training.batch_size, training.optimizer, training.weight_decay) == (5, "rmsprop", 0.1)
    assert (training.n_views, training.penalty, training.augmentation) == (1, 0.0, plan.augmentation)
    assert training.precision == "bfloat16"
    assert rd.FineTuning(learning_rate=0.01, head_learning_rate=0.05).head_factor == pytest.approx(5)
    assert rd.FineTuning(head_learning_rate=None).head_factor == 1


def test_what_cannot_be_learned_from_is_refused():
    extractor = rd.DeepFeatureExtractor(fine_tune=rd.FineTuning())
    with pytest.raises(InputError, match="fine_tune learns from the label of each of 12 cases. Got none: call fit"):
        extractor.fit(COHORT)
    with pytest.raises(InputError, match="extract_table cannot train it"):
        rd.extract_table(extractor, COHORT)
    with pytest.raises(InputError, match="Got 3 labels"):
        extractor.fit(COHORT, [0, 1, 0])
    with pytest.raises(InputError, match="of each of 0 cases"):
        extractor.fit([], [])
    with pytest.raises(InputError, match="4 of 12 labels are missing"):
        extractor.fit(COHORT, [0, 1, np.nan] * 4)
    with pytest.raises(InputError, match="needs cases of two classes or more. Got 1"):
        extractor.fit(COHORT, [1] * 12)
    with pytest.raises(TrainingError, match="Take a lower learning rate than 1e"):
        rd.DeepFeatureExtractor(fine_tune=rd.FineTuning(learning_rate=1e30)).fit(COHORT, COHORT.labels)
    with pytest.raises(InputError, match="'fine_tune' parameter of DeepFeatureExtractor must be None or a FineTuning"):
        rd.DeepFeatureExtractor(fine_tune=True).fit(COHORT, COHORT.labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_iterations": 0}, "'n_iterations' parameter of FineTuning must be an int >= 1. Got 0"),
        ({"learning_rate": 0}, "'learning_rate' parameter of FineTuning must be a float > 0"),
        ({"head_learning_rate": 0}, "'head_learning_rate' parameter of FineTuning must be a float > 0 or None. Got 0"),
        ({"decay": 2}, "'decay' parameter of FineTuning must be a float > 0 and <= 1"),
        ({"optimizer": "lion"}, "'optimizer' parameter of FineTuning must be one of"),
        ({"n_layers": -1}, "'n_layers' parameter of FineTuning must be an int >= 0"),
    ],
)
def test_a_setting_out_of_range_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        rd.FineTuning(**changes)


@pytest.mark.filterwarnings("ignore:FineTuning")
def test_a_classifier_that_came_with_the_weights_is_replaced():
    torch.manual_seed(0)
    whole = build_network("radiodeep-mini", in_channels=1, n_classes=2).state_dict()
    other = {name: value + 5 if name.startswith("head") else value for name, value in whole.items()}
    plan, images = rd.FineTuning(n_iterations=2, learning_rate=0.1), torch.rand(8, 1, 64, 64)
    states = [
        tuned_state(plan, "radiodeep-mini", w, None, images, [0, 1] * 4, "cpu", "float32") for w in (whole, other)
    ]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
