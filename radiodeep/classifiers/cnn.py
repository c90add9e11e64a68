"""Cases or images in, probabilities out: convolutional networks trained from scratch, or the last part of them."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.cohort import as_cases
from radiodeep.cases.training_range import case_facts, training_range
from radiodeep.classifiers.examples import auxiliary_targets, network_images
from radiodeep.exceptions import InputError, RadiodeepWarning, SingleClassError
from radiodeep.imaging.crop import WINDOWS
from radiodeep.imaging.intensity import is_window
from radiodeep.imaging.planes import SLICES
from radiodeep.networks.architectures import build_network, input_specification
from radiodeep.networks.augmentation import Augmentation, average_over_views, dihedral_views, study_views
from radiodeep.networks.fitting import (
    OPTIMIZERS,
    Examples,
    cyclic_learning_rates,
    fit_network,
    last_layers,
    moved,
    network_outputs,
)
from radiodeep.networks.inference import PRECISIONS, chosen_device, chosen_precision, threads
from radiodeep.networks.losses import classification_loss, numbered_classes, regression_loss, with_auxiliary
from radiodeep.networks.weights import classifier_names, load_weights

STUDY_AUGMENTATION = Augmentation()
SCORING_VIEWS = {None: None, "dihedral": dihedral_views, "study": study_views}


class _CNN(BaseEstimator):
    """What the classifier and the regressor have in common."""

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
            held_out = _validation_cases(strata, groups, self._fraction(), seed)[of_case]
            if self._fraction() and not held_out.any():
                message = "There are too few patients for a validation part, so the network of the last epoch is taken."
                warnings.warn(f"{message} validation_fraction=0 says so.", RadiodeepWarning, stacklevel=3)
            fitted = self._fit_one(whole, held_out, loss, seed)
            self.history_.append(fitted)
        self.n_features_in_ = 1
        vars(self).pop("training_range_", None)  # of an earlier fit
        if ids is not patients:  # cases, not arrays
            self.training_range_ = training_range([case_facts(case) for case in as_cases(X)])
        return self

    def _fit_one(self, whole, held_out, loss, seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network()
        if self.weights is not None:
            load_weights(
                network, self.weights, self.architecture, **({"seed": seed} if self.weights == "random" else {})
            )
        learning = last_layers(network, classifier_names(network), self.n_layers)
        rates, snapshots = [self.learning_rate] * self.epochs, ()
        if self.n_snapshots:
            rates, snapshots = cyclic_learning_rates(self.learning_rate, self.epochs, self.n_snapshots)
        file = f"{self.architecture}-{seed}-{{training}}.safetensors"
        checkpoint = None if self.checkpoint_dir is None else Path(self.checkpoint_dir) / file
        parts = [whole[one] for one in (~held_out, held_out)]
        with threads(self.n_threads):
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
                keep_norms=self.weights is not None,
                augmentation=self.augmentation,
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
        n_channels, one_for_two = input_specification(self.architecture).channels, isinstance(self, ClassifierMixin)
        return build_network(self.architecture, n_channels, self.n_networks_outputs_, one_for_two=one_for_two)

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
        images, found = images.to(device), []
        with threads(self.n_threads):
            for state in self.networks_:
                network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})

                def say(some, network=network):
                    some = some.reshape(-1, *images.shape[1:])
                    return self._link(network_outputs(network, some, half=half))

                # The slices of a lesion are turned alike, as channels are.
                values = say(images) if views is None else average_over_views(say, images.flatten(1, -3), views())
                ends = np.cumsum(counts)[:-1]
                rows = np.split(values.cpu().numpy().astype(np.float64), ends)
                found.append(np.stack([one.mean(axis=0) for one in rows]))
        return np.stack(found)

    def _images(self, X):
        specification = input_specification(self.architecture)
        return network_images(X, specification, self.window, self.size, self.slice, self.intensity_range)

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
            "class_weight": (self.class_weight in (None, "balanced"), "None or 'balanced'"),
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
            "precision": (self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "scoring_views": (self.scoring_views in SCORING_VIEWS, "None, 'dihedral' or 'study'"),
            "learning_rate": (self.learning_rate > 0, "a float > 0"),
            "weight_decay": (self.weight_decay >= 0, "a float >= 0"),
            "penalty": (self.penalty >= 0, "a float >= 0"),
            "auxiliary_weight": (self.auxiliary_weight >= 0, "a float >= 0"),
            "intensity_range": (
                self.intensity_range is None or is_window(self.intensity_range),
                "None or (low, high) with low < high",
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


class CNNClassifier(ClassifierMixin, _CNN):
    """A convolutional network trained on cases or images, by default the third architecture of the nodule studies.

    Parameters
    ----------
    architecture : str, default="arch3"
        "arch1", "arch2" or "arch3" of the studies, "radiodeep-mini", or any model of timm. These see the images
        that `slice` chooses, each for itself. All slices of a lesion, whatever `slice` says, are one example to
        "arch2-slices", whose memory reads them in order, and to "arch1-lstm", "arch1-gru", "arch1-attention",
        "arch3-lstm", "arch3-gru" and "arch3-attention". "arch3d" sees a cube of 32 voxels; the larger networks for
        cubes see one of their own spacing and of the image's own intensities, whatever `window` and
        `intensity_range` say. "mnist" and "mnist-contest" are those of the lectures for digits of 28 x 28.
    weights : None, "packaged", "pretrained", path or state dict, default=None
        Where the training starts, as in `load_weights`; None is from scratch.
    n_layers : int, optional
        How many of the last layers learn beside the classifier, 0 for the classifier alone; by default all. The
        rule of thumb for pretrained weights: little data 0, some data a few, much data all.
    window, size, slice, intensity_range
        How cases become images, as in `DeepFeatureExtractor`; of "all" slices each is an example, and the
        probability of a case is their mean.
    epochs : int, default=20
    n_views : int, default=12
        How often an epoch shows each image, changed anew each time by `augmentation`. The studies had 72.
    learning_rate : float, default=1e-3
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, default="adam"
        The papers of the studies do not give theirs.
    batch_size : int, default=32
    weight_decay : float, default=0
    penalty : float, default=0.01
        Of the squared weights of the layer that the studies penalise, in "arch1" and "arch2".
    augmentation : Augmentation, optional
        By default the rotations and flips of the studies.
    scoring_views : {None, "dihedral", "study"}, default=None
        Average the probabilities over 8 or 48 views of each new image.
    validation_fraction : float, default=0.3
        Of the patients, kept apart; the network of the epoch with the lowest loss on them is taken. 0 trains on
        all and takes the last.
    patience : int, optional
        End the training after so many epochs without a lower loss on them.
    class_weight : {"balanced"} or None, default="balanced"
        "balanced" lets all classes weigh the same.
    auxiliary : DataFrame, optional
        Other numbers by case id that the network learns to tell beside the class, e.g. spiculation; NaN where
        unknown. Not needed for new cases.
    auxiliary_weight : float, default=0.3
        Of their squared errors (of standardised values) beside the loss of the classes.
    n_seeds : int, default=1
        Networks trained, each with its own start, order and split; their probabilities are averaged.
    n_snapshots : int, optional
        One training with that many cycles of the learning rate, the network at the end of each being a member;
        without a validation part.
    random_state : int, default=0
        The same gives the same networks on a processor.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
    device : str, default="auto"
    n_threads : int, optional
    checkpoint_dir : path-like, optional
        Where each training leaves its state after every epoch, so that a killed one goes on; the trainings of
        several seeds, folds and settings may share it. Files of finished trainings stay until you delete them.

    Attributes
    ----------
    classes_ : ndarray
    networks_ : list of dict from str to ndarray
        Weights of each member.
    history_ : list of list of dict
        Of each training, per epoch: `epoch`, `learning_rate`, `loss`, `validation_loss`.
    training_range_ : dict
        Dimensions, spacing and intensities of the training cases; images of an array have none.

    Raises
    ------
    InputError
        A setting out of range, or a problem of an image.
    SingleClassError
        The cases of `fit` are all of one class.
    TrainingError
        The loss is no longer finite.

    References
    ----------
    R. Paul, L. Hall, D. Goldgof, M. Schabath, R. Gillies, Predicting nodule malignancy using a CNN ensemble
    approach, IJCNN 2018. G. Huang et al., Snapshot ensembles, ICLR 2017.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(12, random_state=0)
    >>> model = rd.CNNClassifier("arch3", epochs=2, batch_size=8).fit(cohort, cohort.labels)
    >>> model.predict_proba(cohort[:3]).shape
    (3, 2)
    """

    def fit(self, X, y, groups=None):
        """Train the networks.

        Parameters
        ----------
        X : Cohort, sequence of Case, or array of shape (n, height, width) or (n, channels, height, width)
            Images of an array are of 0..1, or are brought there by `intensity_range`. For networks of sequences and
            of cubes its shape is (n, slices, height, width); slices of a sequence that are all NaN are not there.
        y : sequence of class labels
        groups : sequence, optional
            Whose image it is, for the split; by default the patients of the cases.
        """
        self.classes_, numbers = numbered_classes(y)
        if len(self.classes_) < 2:
            raise SingleClassError(f"A classifier needs cases of two classes. All are {self.classes_.tolist()}.")
        shares = np.bincount(numbers) * len(self.classes_) / len(numbers)
        weights = 1 / shares[numbers] if self.class_weight else None
        return self._fit(X, numbers, numbers, groups, len(self.classes_), classification_loss, weights)

    def predict_members(self, X):
        """Return the probabilities of each network, shape (n_networks, n_cases, n_classes)."""
        return self._outputs(X)

    def predict_proba(self, X):
        """Return the mean of the networks' probabilities, shape (n_cases, n_classes)."""
        return self.predict_members(X).mean(axis=0)

    def predict(self, X):
        """Return the most probable class of each case."""
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]

    def _link(self, outputs):
        """Return probabilities of outputs, one logit of two classes being enough."""
        if outputs.shape[1] == 1:
            return torch.cat([torch.sigmoid(-outputs), torch.sigmoid(outputs)], dim=1)
        return torch.softmax(outputs[:, : len(self.classes_)], dim=1)


class CNNRegressor(RegressorMixin, _CNN):
    """A convolutional network that tells numbers of a case or an image, such as the calibre of vessels.

    The last layer has one output per number and no activation, and learns standardised values by their squared
    errors. `radiodeep.intraclass_correlation` says how well numbers agree.

    Parameters
    ----------
    architecture, weights, ...
        All those of `CNNClassifier`; `class_weight` has no effect.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> images = np.linspace(0, 1, 12)[:, None, None] * np.ones((12, 100, 100))
    >>> model = rd.CNNRegressor("arch3", epochs=2, batch_size=8).fit(images, images[:, 0, 0])
    >>> model.predict(images[:3]).shape
    (3,)
    """

    def fit(self, X, y, groups=None):
        """Train the networks.

        Parameters
        ----------
        X, groups
            As for `CNNClassifier`.
        y : array of shape (n_cases,) or (n_cases, n_numbers)
        """
        y = np.asarray(y, dtype=np.float64)
        if y.ndim not in (1, 2) or not np.isfinite(y).all():
            raise InputError(f"The numbers to learn must be finite, one or several per case. Got shape {y.shape}.")
        self.one_number_ = y.ndim == 1
        columns = y.reshape(len(y), -1)
        self.mean_, spread = columns.mean(axis=0), columns.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        standard = torch.from_numpy((columns - self.mean_) / self.scale_).float()
        strata = np.zeros(len(y), dtype=int)
        return self._fit(X, standard, strata, groups, columns.shape[1], regression_loss)

    def predict(self, X):
        """Return the mean of the networks' numbers, shape (n_cases,) or (n_cases, n_numbers)."""
        found = self._outputs(X).mean(axis=0) * self.scale_ + self.mean_
        return found[:, 0] if self.one_number_ else found

    def _link(self, outputs):
        return outputs[:, : len(self.mean_)]


def _validation_cases(strata, groups, fraction, seed):
    """Return which cases are kept apart: whole groups, the same fraction of those of each class, but never all."""
    rng, kept = np.random.default_rng(seed), np.zeros(len(strata), dtype=bool)
    names, first = np.unique(groups, return_index=True)
    for stratum in np.unique(strata):
        of_stratum = names[np.asarray(strata)[first] == stratum]
        n_kept = min(round(fraction * len(of_stratum)), len(of_stratum) - 1)
        kept |= np.isin(groups, rng.permutation(of_stratum)[:n_kept])
    return torch.from_numpy(kept)


def _is_whole(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
