"""Cases or images and targets in, trained networks out: what the classifier and the regressor have in common."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.acquisition import warn_of_mixed_acquisition
from radiodeep.cases.cohort import as_cases
from radiodeep.cases.slice_plane import SLICE_AXES
from radiodeep.cases.training_range import case_facts, training_range
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.imaging.crop import WINDOWS
from radiodeep.imaging.intensity import is_window
from radiodeep.imaging.network_view import NetworkView
from radiodeep.imaging.planes import SLICES, window_rules
from radiodeep.models.examples import auxiliary_targets, network_images, validation_cases
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.devices import PRECISIONS, chosen_device, chosen_precision, torch_threads
from radiodeep.networks.training.augmentation import (
    Augmentation,
    OwnRangeAugmentation,
    average_over_views,
    dihedral_views,
    study_views,
)
from radiodeep.networks.training.fitting import (
    OPTIMIZERS,
    Examples,
    cyclic_learning_rates,
    fit_network,
    last_layers,
    moved,
    network_outputs,
    warn_of_flat_loss,
)
from radiodeep.networks.training.losses import with_auxiliary
from radiodeep.networks.weights.loading import classifier_names, input_with, load_weights

STUDY_AUGMENTATION = Augmentation()
SCORING_VIEWS = {None: None, "dihedral": dihedral_views, "study": study_views}


class NetworkEstimator(BaseEstimator):
    """Settings, training and outputs of networks; `CNNClassifier` documents the parameters."""

    def __init__(
        self,
        architecture="arch3",
        weights=None,
        n_layers=None,
        window="exact",
        size=None,
        slice="largest",
        intensity_range=None,
        epochs=20,
        n_views=12,
        learning_rate=1e-3,
        optimizer="adam",
        batch_size=32,
        weight_decay=0.0,
        penalty=0.01,
        augmentation=STUDY_AUGMENTATION,
        scoring_views=None,
        validation_fraction=0.3,
        patience=None,
        class_weight="balanced",
        auxiliary=None,
        auxiliary_weight=0.3,
        n_seeds=1,
        n_snapshots=None,
        random_state=0,
        precision="float32",
        device="auto",
        n_threads=None,
        checkpoint_dir=None,
        slice_axis=None,
        pixel_mm=None,
    ):
        self.architecture = architecture
        self.weights = weights
        self.n_layers = n_layers
        self.window = window
        self.size = size
        self.slice = slice
        self.intensity_range = intensity_range
        self.epochs = epochs
        self.n_views = n_views
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.penalty = penalty
        self.augmentation = augmentation
        self.scoring_views = scoring_views
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.class_weight = class_weight
        self.auxiliary = auxiliary
        self.auxiliary_weight = auxiliary_weight
        self.n_seeds = n_seeds
        self.n_snapshots = n_snapshots
        self.random_state = random_state
        self.precision = precision
        self.device = device
        self.n_threads = n_threads
        self.checkpoint_dir = checkpoint_dir
        self.slice_axis = slice_axis
        self.pixel_mm = pixel_mm

    def __setstate__(self, state):
        if (
            "pixel_mm" not in state
        ):  # saved when slices were axial and intensities went from the smallest to the largest
            state = state | {"slice_axis": _axis_of_before(state), "pixel_mm": None}
            if state.get("intensity_range") is None and "training_range_" in state:  # trained on cases, not on arrays
                state["intensity_range"] = "minmax"
        super().__setstate__(state)

    def acquisition_needs(self):
        """Return what cases have to have in common for images to be comparable, in the words of `mixtures`."""
        return self._view().acquisition_needs(input_specification(self.architecture).sequence)

    def _fit(self, X, targets, strata, groups, n_outputs, loss, weights=None):
        """Train `n_seeds` networks on targets (n, ...); strata: class of each case, for the split."""
        self._check_settings()
        images, counts, ids, patients = self._images(X)
        groups = patients if groups is None else np.asarray(groups)
        if len(targets) != len(counts) or len(groups) != len(counts):
            raise InputError(
                f"There must be a label and a group for each of {len(counts)} cases. Got {len(targets)} labels"
                f"{'' if groups is patients else f' and {len(groups)} groups'}."
            )
        if pd.isna(groups).any():
            raise InputError(f"{int(pd.isna(groups).sum())} of {len(groups)} groups are missing. Name each one.")
        auxiliary = None if self.auxiliary is None else auxiliary_targets(self.auxiliary, ids)
        if auxiliary is not None:
            loss = with_auxiliary(loss, n_outputs, self.auxiliary_weight)
            joined = torch.as_tensor(targets).to(torch.float32).reshape(len(targets), -1)
            targets, n_targets = torch.cat([joined, auxiliary], dim=1), n_outputs + auxiliary.shape[1]
        else:
            targets, n_targets = torch.as_tensor(targets), n_outputs
        self.n_networks_outputs_ = n_targets
        weights = torch.ones(len(counts)) if weights is None else torch.as_tensor(weights, dtype=torch.float32)
        of_case = torch.arange(len(counts)).repeat_interleave(torch.as_tensor(counts))
        share = 1 / torch.as_tensor(counts)[of_case]  # a case of many slices weighs no more than one of few
        whole = Examples(images, targets[of_case], weights[of_case] * share)
        self.networks_, self.history_ = [], []
        for number in range(self.n_seeds):
            seed = int(self.random_state) + number
            held_out = validation_cases(strata, groups, self._fraction(), seed)[of_case]
            if self._fraction() and not held_out.any():
                message = "There are too few patients for a validation part, so the network of the last epoch is taken."
                warnings.warn(f"{message} Set validation_fraction=0 to silence this.", RadiodeepWarning, stacklevel=3)
            fitted = self._fit_one(whole, held_out, loss, seed)
            self.history_.append(fitted)
        warn_of_flat_loss(
            self.history_,
            type(self).__name__,
            "The networks are little better than untrained ones. Take a higher learning_rate or more epochs, let more "
            "layers learn (n_layers), and check that the labels belong to the images.",
        )
        self.n_features_in_ = 1
        vars(self).pop("training_range_", None)  # of an earlier fit
        if ids is not patients:  # cases, not arrays
            facts = [case_facts(case) for case in as_cases(X)]
            warn_of_mixed_acquisition(dict(zip(ids, facts, strict=True)), self.acquisition_needs(), type(self).__name__)
            self.training_range_ = training_range(facts)
        return self

    def _fit_one(self, whole, held_out, loss, seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network()
        specification, random = input_specification(self.architecture), _is_random(self.weights)
        if self.weights is not None:
            record = load_weights(network, self.weights, self.architecture, **({"seed": seed} if random else {}))
            specification = input_with(self.architecture, record)
        self.normalization_ = np.array([specification.mean, specification.std])
        augmentation = self.augmentation
        if augmentation is not None and specification.own_units:
            augmentation = OwnRangeAugmentation(augmentation)
        learning = last_layers(network, classifier_names(network), self.n_layers)
        rates, snapshots = [self.learning_rate] * self.epochs, ()
        if self.n_snapshots:
            rates, snapshots = cyclic_learning_rates(self.learning_rate, self.epochs, self.n_snapshots)
        file = f"{self.architecture}-{seed}-{{training}}.safetensors"
        checkpoint = None if self.checkpoint_dir is None else Path(self.checkpoint_dir) / file
        parts = [whole[one] for one in (~held_out, held_out)]
        with torch_threads(self.n_threads):
            fitted = fit_network(
                network,
                parts[0],
                loss,
                rates,
                optimizer=self.optimizer,
                weight_decay=self.weight_decay,
                penalty=self.penalty if hasattr(network, "penalized_weights") else 0.0,
                batch_size=self.batch_size,
                repeats=self.n_views,
                trained=None if self.n_layers is None else learning,
                freeze_batch_norm=self.weights is not None and not random,
                augmentation=augmentation,
                normalize=specification.normalize,
                validation=parts[1] if len(parts[1]) else None,
                patience=self.patience,
                snapshots=snapshots,
                seed=seed,
                device=self.device,
                precision=self.precision,
                checkpoint=checkpoint,
                description=f"Training {self.architecture}",
            )
        states = fitted.snapshots or [network.state_dict()]
        self.networks_ += [{name: value.numpy().copy() for name, value in state.items()} for state in states]
        return fitted.history

    def _network(self):
        """Return a new network; one output is enough for two classes, not for two numbers."""
        n_channels = input_specification(self.architecture).channels
        is_classifier = isinstance(self, ClassifierMixin)
        return build_network(
            self.architecture, n_channels, self.n_networks_outputs_, single_logit_for_binary=is_classifier
        )

    def _fraction(self):
        return 0.0 if self.n_snapshots else self.validation_fraction

    def _outputs(self, X):
        """Return outputs of each network for each case, float64 of shape (n_networks, n_cases, n_outputs)."""
        check_is_fitted(self, "networks_")
        images, counts, *_ = self._images(X)
        device = chosen_device(self.device)
        half = chosen_precision(self.precision, device) == "bfloat16"
        views = SCORING_VIEWS[self.scoring_views]
        with torch.random.fork_rng(devices=[]):
            network = moved(self._network(), device)
        normalize = self._specification().normalize
        images, found = images.to(device), []
        with torch_threads(self.n_threads):
            for state in self.networks_:
                network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})

                def predict_batch(batch, network=network):
                    batch = batch.reshape(-1, *images.shape[1:])
                    return self._link(network_outputs(network, batch, half=half, normalize=normalize))

                if views is None:
                    values = predict_batch(images)
                else:  # the slices of a lesion are turned alike, as channels are
                    values = average_over_views(predict_batch, images.flatten(1, -3), views())
                ends = np.cumsum(counts)[:-1]
                rows = np.split(values.cpu().numpy().astype(np.float64), ends)
                found.append(np.stack([one.mean(axis=0) for one in rows]))
        return np.stack(found)

    def _specification(self):
        """Describe the images that the networks want; models saved without a normalisation had the usual one."""
        specification = input_specification(self.architecture)
        if not hasattr(self, "normalization_"):
            return specification
        return specification.with_normalization(self.normalization_)

    def _images(self, X):
        return network_images(X, input_specification(self.architecture), self._view())

    def _view(self):
        specification = input_specification(self.architecture)
        own = specification.own_units
        return NetworkView(
            specification.size,
            specification.dimensions,
            specification.spacing_mm,
            self.size,
            "crop" if own else self.window,
            "all" if specification.sequence else self.slice,
            None if own else self.intensity_range,
            self.slice_axis,
            self.pixel_mm,
        )

    def _check_settings(self):
        whole = {"epochs": 1, "n_views": 1, "batch_size": 1, "n_seeds": 1, "random_state": 0}
        optional = {"size": 1, "n_layers": 0, "patience": 1, "n_snapshots": 2, "n_threads": 1}
        whole |= {name: lowest for name, lowest in optional.items() if getattr(self, name) is not None}
        rules = {
            name: (_is_whole(getattr(self, name)) and getattr(self, name) >= lowest, f"an int >= {lowest}")
            for name, lowest in whole.items()
        } | {
            "window": (self.window in WINDOWS, f"one of {', '.join(WINDOWS)}"),
            "slice": (self.slice in SLICES, f"one of {', '.join(SLICES)}"),
            "slice_axis": (
                self.slice_axis is None or self.slice_axis in SLICE_AXES,
                f"None or one of {', '.join(SLICE_AXES)}",
            ),
            "pixel_mm": window_rules(self.pixel_mm, 0.0, 1)["pixel_mm"],
            "class_weight": (
                self.class_weight is None or self.class_weight == "balanced" or _are_weights(self.class_weight),
                "None, 'balanced' or a dict of weights > 0 by class",
            ),
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
            "precision": (self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "scoring_views": (self.scoring_views in SCORING_VIEWS, "None, 'dihedral' or 'study'"),
            "learning_rate": (self.learning_rate > 0, "a float > 0"),
            "weight_decay": (self.weight_decay >= 0, "a float >= 0"),
            "penalty": (self.penalty >= 0, "a float >= 0"),
            "auxiliary_weight": (self.auxiliary_weight >= 0, "a float >= 0"),
            "intensity_range": (
                self.intensity_range is None
                or (isinstance(self.intensity_range, str) and self.intensity_range == "minmax")
                or is_window(self.intensity_range),
                "None, 'minmax' or (low, high) with low < high",
            ),
            "validation_fraction": (0 <= self.validation_fraction < 1, "a float >= 0 and < 1"),
            "augmentation": (
                self.augmentation is None or hasattr(self.augmentation, "apply"),
                "None or an Augmentation",
            ),
        }
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise InputError(
                    f"The '{name}' parameter of {type(self).__name__} must be {allowed}. "
                    f"Got {getattr(self, name)!r} instead."
                )
        self._check_axes()

    def _check_axes(self):
        """Raise InputError for settings of slices where none are cut, or where they are cut across every axis."""
        specification = input_specification(self.architecture)
        for name in ("pixel_mm", "slice_axis") if specification.dimensions == 3 else ():
            if getattr(self, name) is not None:
                raise InputError(
                    f"'{self.architecture}' is shown a cube, so {name}={getattr(self, name)!r} has no meaning. "
                    "Leave it out."
                )
        if self.slice == "three-orthogonal" and self.slice_axis is not None and not specification.sequence:
            raise InputError(
                f"slice='three-orthogonal' cuts across every axis. Leave out slice_axis={self.slice_axis!r}."
            )


def _axis_of_before(state):
    """Return the axis of the slices of an estimator saved when it was fixed; cubes and orthogonal slices have none."""
    specification = input_specification(state["architecture"])
    is_orthogonal = state.get("slice") == "three-orthogonal" and not specification.sequence  # which is shown all slices
    return None if is_orthogonal or specification.dimensions == 3 else "axial"


def _is_whole(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_random(weights):
    return isinstance(weights, str) and weights == "random"


def _are_weights(value):
    numbers = value.values() if isinstance(value, dict) else [None]
    return all(isinstance(number, int | float | np.number) and 0 < number < np.inf for number in numbers)
