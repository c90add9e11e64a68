"""What `CNNClassifier` and `CNNRegressor` have in common: from cases or images and targets to fitted networks."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.acquisition import warn_of_mixed_acquisition
from radiodeep.cases.cohort import as_cases
from radiodeep.cases.training_range import facts_of_images, training_range
from radiodeep.checks import is_count, is_non_negative, is_positive, require, require_option
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.models.case_view import CaseView
from radiodeep.models.examples import (
    auxiliary_targets,
    check_settings_of_arrays,
    checked_view,
    is_array_of_images,
    network_images,
    state_with_used_settings,
    validation_cases,
)
from radiodeep.models.grouped_settings import GroupedSettings
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.devices import chosen_device, chosen_precision, to_device, torch_precision, torch_threads
from radiodeep.networks.training.augmentation import average_over_views, dihedral_views, study_views
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import (
    fit_network,
    last_layers,
    network_outputs,
    to_channels_last,
    warn_of_flat_loss,
)
from radiodeep.networks.training.losses import with_auxiliary
from radiodeep.networks.training.plan import Training
from radiodeep.networks.weights.loading import classifier_prefixes, input_with, load_weights

SCORING_VIEWS = {None: None, "dihedral": dihedral_views, "study": study_views}


class NetworkEstimator(GroupedSettings):
    """Parameters, training and outputs of networks. `CNNClassifier` documents the parameters.

    A subclass says in `single_logit_for_binary` whether two targets may share one output, and implements `_link`, which
    turns the outputs of a network into predictions.
    """

    setting_groups = {"view": CaseView, "training": Training}  # noqa: RUF012
    single_logit_for_binary = False

    def __init__(
        self,
        architecture="arch3",
        weights=None,
        n_layers=None,
        *,
        view=None,
        training=None,
        scoring_views=None,
        class_weight="balanced",
        auxiliary=None,
        auxiliary_weight=0.3,
        n_seeds=1,
        random_state=0,
        device="auto",
        n_threads=None,
        checkpoint_dir=None,
        **settings,
    ):
        self.architecture = architecture
        self.weights = weights
        self.n_layers = n_layers
        self.view = view
        self.training = training
        self.scoring_views = scoring_views
        self.class_weight = class_weight
        self.auxiliary = auxiliary
        self.auxiliary_weight = auxiliary_weight
        self.n_seeds = n_seeds
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.checkpoint_dir = checkpoint_dir
        self._set_by_name(settings)

    def __setstate__(self, state):
        super().__setstate__(state_with_used_settings(state))

    def acquisition_needs(self):
        """Return what images of cases must have in common to be comparable, in the words of `mixtures`."""
        return self._view().acquisition_needs()

    def _fit(self, X, targets, strata, groups, n_outputs, loss, weights=None):
        """Train `n_seeds` networks on `X` and `groups` of `CNNClassifier.fit`.

        `targets` (n_cases, ...) have `n_outputs` outputs of the network and the `loss` of `fit_network`; auxiliary
        targets have further outputs. `strata` are the classes of the cases, by which the held-out cases are stratified,
        and `weights` their weights in the loss.
        """
        self._check_settings()
        check_settings_of_arrays(self, X)
        vars(self).pop("training_range_", None)  # of an earlier fit
        images, counts, ids, patients = self._images(X)
        groups = checked_groups(groups, patients, len(targets), len(counts))
        targets = torch.as_tensor(targets)
        self.n_networks_outputs_ = n_outputs
        if self.auxiliary is not None:
            auxiliary = auxiliary_targets(self.auxiliary, ids)
            loss = with_auxiliary(loss, n_outputs, self.auxiliary_weight)
            targets = torch.cat([targets.to(torch.float32).reshape(len(targets), -1), auxiliary], dim=1)
            self.n_networks_outputs_ += auxiliary.shape[1]
        weights = torch.ones(len(counts)) if weights is None else torch.as_tensor(weights, dtype=torch.float32)
        case_of_image = torch.arange(len(counts)).repeat_interleave(torch.as_tensor(counts))
        share = 1 / torch.as_tensor(counts)[case_of_image]  # a case of many slices weighs no more than one of few
        examples = Examples(images, targets[case_of_image], weights[case_of_image] * share)
        fraction = self._settings_of("training").held_out_fraction
        self.networks_ = []
        self.history_ = []
        for seed in range(int(self.random_state), int(self.random_state) + self.n_seeds):
            held_out = validation_cases(strata, groups, fraction, seed)[case_of_image]
            if fraction and not held_out.any():
                message = "There are too few patients to hold some out, so the network of the last epoch is kept."
                warnings.warn(f"{message} Set validation_fraction=0 to silence this.", RadiodeepWarning, stacklevel=3)
            self.history_.append(self._fit_seed(examples[~held_out], examples[held_out], loss, seed))
        warn_of_flat_loss(
            self.history_,
            type(self).__name__,
            "The networks are little better than untrained ones. Take a higher learning_rate or more epochs, let more "
            "layers learn (n_layers), and check that the labels belong to the images.",
        )
        self.n_features_in_ = 1
        if not is_array_of_images(X):
            facts = [facts_of_images(case) for case in as_cases(X)]
            of_first_image = [next(iter(each.values())) if isinstance(each, dict) else each for each in facts]
            known = dict(zip(ids, of_first_image, strict=True))
            warn_of_mixed_acquisition(known, self.acquisition_needs(), type(self).__name__)
            self.training_range_ = training_range(facts)
        return self

    def _fit_seed(self, examples, validation, loss, seed):
        """Train one network, append its weights (or those of its snapshots) to `networks_` and return its history."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network()
        specification = input_specification(self.architecture)
        is_random = isinstance(self.weights, str) and self.weights == "random"
        if self.weights is not None:
            record = load_weights(network, self.weights, self.architecture, seed=seed if is_random else None)
            specification = input_with(self.architecture, record)
        self.normalization_ = np.array([specification.mean, specification.std])
        parameter_groups = None
        if self.n_layers is not None:
            trained = last_layers(network, classifier_prefixes(network), self.n_layers)
            parameter_groups = [{"params": trained, "factor": 1.0}]
        checkpoint = None
        if self.checkpoint_dir is not None:
            checkpoint = Path(self.checkpoint_dir) / f"{self.architecture}-{seed}-{{training}}.safetensors"
        with torch_threads(self.n_threads):
            fitted = fit_network(
                network,
                examples,
                loss,
                self._settings_of("training").for_input(specification),
                parameter_groups=parameter_groups,
                freeze_batch_norm=self.weights is not None and not is_random,
                normalize=specification.normalize,
                validation=validation if len(validation) else None,
                seed=seed,
                device=self.device,
                checkpoint=checkpoint,
                description=f"Training {self.architecture}",
            )
        states = fitted.snapshots or [network.state_dict()]
        self.networks_ += [{name: value.numpy().copy() for name, value in state.items()} for state in states]
        return fitted.history

    def _network(self):
        """Return a network with weights drawn from the random state of torch."""
        return build_network(
            self.architecture,
            input_specification(self.architecture).channels,
            self.n_networks_outputs_,
            single_logit_for_binary=self.single_logit_for_binary,
        )

    def _outputs(self, X):
        """Return the predictions of each network, float64 of shape (n_networks, n_cases, n_outputs)."""
        check_is_fitted(self, "networks_")
        images, counts, *_ = self._images(X)
        device = chosen_device(self.device)
        is_bfloat16 = chosen_precision(self.precision, device) == "bfloat16"
        views = SCORING_VIEWS[self.scoring_views]
        with torch.random.fork_rng(devices=[]):
            network = to_channels_last(self._network(), device)
        normalize = self._specification().normalize
        if views is not None:
            images = to_device(images, device)  # where they are turned

        def predict_batch(batch):
            outputs = network_outputs(network, batch.reshape(-1, *images.shape[1:]), 64, is_bfloat16, normalize)
            return self._link(outputs)

        predictions = []
        with torch_threads(self.n_threads), torch_precision(self.precision, device):
            for state in self.networks_:
                network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
                if views is None:
                    values = predict_batch(images)
                else:  # all slices of a lesion are turned alike, as if they were channels
                    values = average_over_views(predict_batch, images.flatten(1, -3), views())
                values_of_cases = np.split(values.cpu().numpy().astype(np.float64), np.cumsum(counts)[:-1])
                predictions.append(np.stack([of_images.mean(axis=0) for of_images in values_of_cases]))
        return np.stack(predictions)

    def _specification(self):
        """Return the `NetworkInput` with the normalization of `fit`; models saved without one had the default."""
        specification = input_specification(self.architecture)
        if not hasattr(self, "normalization_"):
            return specification
        return specification.with_normalization(self.normalization_)

    def _images(self, X):
        names = None  # of images, before they are learned from cases
        if hasattr(self, "training_range_"):
            names = tuple(self.training_range_.get("by_image", ()))
        return network_images(X, input_specification(self.architecture), self._view(), names)

    def _view(self):
        return checked_view(self, self.architecture)

    def _check_settings(self):
        """Raise InputError for a parameter out of range."""
        self._settings_of("training").check(type(self).__name__)
        for name, allowed, is_allowed in (
            ("n_layers", "an int >= 0", self.n_layers is None or is_count(self.n_layers, 0)),
            ("class_weight", "None, 'balanced' or a dict of weights > 0 by class", is_class_weight(self.class_weight)),
            ("auxiliary_weight", "a float >= 0", is_non_negative(self.auxiliary_weight)),
            ("n_seeds", "an int >= 1", is_count(self.n_seeds, 1)),
            ("random_state", "an int >= 0", is_count(self.random_state, 0)),
            ("n_threads", "an int >= 1", self.n_threads is None or is_count(self.n_threads, 1)),
        ):
            require(is_allowed, self, name, allowed)
        require_option(self.scoring_views, tuple(SCORING_VIEWS), self, "scoring_views")
        self._view()


def checked_groups(groups, patients, n_targets, n_cases):
    """Return the group of each case, by default its patient."""
    is_default = groups is None
    groups = np.asarray(patients if is_default else groups)
    if n_targets != n_cases or len(groups) != n_cases:
        raise InputError(
            f"There must be a label and a group for each of {n_cases} cases. Got {n_targets} labels"
            f"{'' if is_default else f' and {len(groups)} groups'}."
        )
    n_missing = int(pd.isna(groups).sum())
    if n_missing:
        raise InputError(f"{n_missing} of {len(groups)} groups are missing. Give a group for each case.")
    return groups


def is_class_weight(class_weight):
    """Return whether a value is a `class_weight` of `class_weights`."""
    if isinstance(class_weight, dict):
        return all(is_positive(weight) for weight in class_weight.values())
    return class_weight is None or (isinstance(class_weight, str) and class_weight == "balanced")
