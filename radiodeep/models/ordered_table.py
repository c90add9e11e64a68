"""Table whose columns have an order -> probabilities of classes, by convolutions along the columns."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import is_count, require, require_option
from radiodeep.exceptions import InputError, RadiodeepWarning, SingleClassError
from radiodeep.models.class_probabilities import WeightedNetworks
from radiodeep.models.column_order import (
    by_cumulative_correlation,
    correlated_clusters,
    groups_of_columns,
    members_of_groups,
    spearman_correlations,
)
from radiodeep.models.examples import validation_cases
from radiodeep.models.grouped_settings import GroupedSettings
from radiodeep.models.network_estimator import checked_groups, is_class_weight
from radiodeep.networks.architectures.table_networks import (
    COMBINATIONS,
    GLOBAL_POOLINGS,
    MeanOverHeads,
    TableNetwork,
)
from radiodeep.networks.devices import chosen_device, torch_threads
from radiodeep.networks.training.augmentation import Augmentation
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network, warn_of_flat_loss
from radiodeep.networks.training.losses import class_weights, classification_loss, numbered_classes
from radiodeep.networks.training.plan import Training

ORDERS = ("given", "spearman")
ROWS_AT_ONCE = 256
table_training = partial(
    Training,
    epochs=50,
    n_views=1,
    learning_rate=3e-3,
    schedule="one-cycle",
    augmentation=None,
    validation_fraction=0.0,
)


class OrderedTableCNN(WeightedNetworks, GroupedSettings):
    """Convolutions over the columns of a table whose order means something, such as genes along chromosomes.

    Each group of columns has a branch of three blocks, each of three convolutions, a pooling of two and a batch
    normalization, followed by two dense layers (ChrNet). Without a meaningful order, `order="spearman"` makes one: it
    puts correlated columns next to each other (TaxoNN). Columns are standardized by the training cases.

    Parameters
    ----------
    column_groups : dict or sequence, optional
        Group of each column, such as its chromosome: by name (of a DataFrame) or index, or one per column. A Series is
        read like a dict, which unlike it can be saved in a model. By default all columns are one group or, with
        ``order="spearman"``, clusters of correlated columns.
    order : {"given", "spearman"}, default="given"
        "given" reads the columns of a group in the order of the table; sort genes by their position. "spearman" orders
        them by the sum of their absolute Spearman correlations with the others of the group in the training cases,
        largest first.
    n_clusters : int, default=4
        Number of clusters (complete linkage of 1 - abs(rho)) if ``order="spearman"`` and there are no `column_groups`.
    combination : {"dense", "mean"}, default="dense"
        "dense" joins the branches before the dense layers. "mean" trains a network for each group by itself and
        averages their probabilities.
    global_pooling : {None, "max"}, default=None
        None lets the dense layers see all places, so that they know which column is which. "max" keeps the largest
        value of each channel, for patterns that may be anywhere along a group.
    width : int, default=4
        Channels of the first block; twice and four times as many in the others.
    kernel_size : int, default=3
        Odd number of columns that a convolution sees.
    training : Training, optional
        As of `CNNClassifier`, of which `augmentation` must be None. By default ``Training(epochs=50, n_views=1,
        learning_rate=3e-3, schedule="one-cycle", augmentation=None, validation_fraction=0)``.
        ``set_params(epochs=80)`` changes one setting of it.
    class_weight, n_seeds, random_state, device, n_threads, checkpoint_dir
        As of `CNNClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    class_weights_ : ndarray of shape (n_classes,)
        Weight of a case of each class in the loss.
    mean_, scale_ : ndarray of shape (n_features,)
        By which columns are standardized.
    column_groups_ : list of ndarray of int
        The columns of each group, in the order in which they are read.
    networks_ : list of dict from str to ndarray
        Weights of each network.
    history_ : list of list of dict
        For each training and epoch `epoch`, `learning_rate`, `loss` and `validation_loss`.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Raises
    ------
    InputError
        If a parameter is out of range, a column has no group, or X contains NaN.
    SingleClassError
        If all cases belong to one class.

    Warns
    -----
    RadiodeepWarning
        If the training loss rose or did not fall by 1 %, or if there are too few patients to hold some out.

    References
    ----------
    Y. Jiang et al., ChrNet: a re-trainable chromosome-based 1D convolutional neural network for predicting immune cell
    types, 2021. D. Sharma, A. D. Paterson, W. Xu, TaxoNN: ensemble of neural networks on stratified microbiome data for
    disease prediction, Bioinformatics 36 (2020) 4544.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import OrderedTableCNN
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(60) % 2
    >>> genes = rng.normal(size=(60, 24)) + y[:, np.newaxis] * np.repeat([2.0, 0.0], [4, 20])
    >>> chromosomes = np.repeat(["1", "2", "X"], 8)
    >>> model = OrderedTableCNN(chromosomes).set_params(epochs=1).fit(genes, y)
    >>> [len(columns) for columns in model.column_groups_], model.predict_proba(genes).shape
    ([8, 8, 8], (60, 2))
    >>> model.fit(np.where(genes > 3, np.nan, genes), y)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: OrderedTableCNN needs finite numbers. ...
    """

    setting_groups = {"training": table_training}  # noqa: RUF012

    def __init__(
        self,
        column_groups=None,
        order="given",
        *,
        n_clusters=4,
        combination="dense",
        global_pooling=None,
        width=4,
        kernel_size=3,
        training=None,
        class_weight="balanced",
        n_seeds=1,
        random_state=0,
        device="auto",
        n_threads=None,
        checkpoint_dir=None,
    ):
        self.column_groups = column_groups
        self.order = order
        self.n_clusters = n_clusters
        self.combination = combination
        self.global_pooling = global_pooling
        self.width = width
        self.kernel_size = kernel_size
        self.training = training
        self.class_weight = class_weight
        self.n_seeds = n_seeds
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.checkpoint_dir = checkpoint_dir

    def fit(self, X, y, groups=None):
        """Train the networks.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            Finite numbers.
        y : sequence of class labels
        groups : sequence, optional
            Patient of each case, for the choice of held-out cases; by default each case is a patient of its own.
        """
        self._check_settings()
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite=False)
        self._require_finite(X)
        check_classification_targets(y)
        self.classes_, numbers = numbered_classes(y)
        if len(self.classes_) < 2:
            raise SingleClassError(f"A classifier needs cases of two classes. Got one class, {self.classes_[0]}.")
        groups = checked_groups(groups, np.arange(len(X)), len(y), len(X))
        self.class_weights_ = class_weights(self.classes_, numbers, self.class_weight)
        self.mean_ = X.mean(axis=0)
        spread = X.std(axis=0)
        self.scale_ = np.where(spread > 1e-12 * np.abs(self.mean_), spread, 1.0)
        self.column_groups_ = self._ordered_groups(X)
        weights = np.ones(len(X)) if self.class_weight is None else self.class_weights_[numbers]
        examples = Examples(
            self._rows(X).float(), torch.from_numpy(numbers), torch.as_tensor(weights, dtype=torch.float32)
        )
        fraction = self._settings_of("training").held_out_fraction
        self.networks_ = []
        self.history_ = []
        for seed in range(int(self.random_state), int(self.random_state) + self.n_seeds):
            held_out = validation_cases(numbers, groups, fraction, seed)
            if fraction and not held_out.any():
                message = "There are too few patients to hold some out, so the network of the last epoch is kept."
                warnings.warn(f"{message} Set validation_fraction=0 to silence this.", RadiodeepWarning, stacklevel=2)
            self.history_.append(self._fit_seed(examples[~held_out], examples[held_out], seed))
        warn_of_flat_loss(
            self.history_, type(self).__name__, "Take a higher learning_rate or more epochs, or fewer columns."
        )
        return self

    def _require_finite(self, X):
        """Raise InputError for a table with missing or infinite values."""
        is_unusable = ~np.isfinite(X).all(axis=0)
        if is_unusable.any():
            first = np.flatnonzero(is_unusable)[0]
            name = getattr(self, "feature_names_in_", range(X.shape[1]))[first]
            raise InputError(
                f"{type(self).__name__} needs finite numbers. Got NaN or inf in {is_unusable.sum()} of {X.shape[1]} "
                f"columns, the first being {name!r}. Replace missing values in each fold: "
                "make_pipeline(SimpleImputer().set_output(transform='pandas'), OrderedTableCNN())."
            )

    def _ordered_groups(self, X):
        """Return `column_groups_`."""
        n_columns = X.shape[1]
        if self.column_groups is not None:
            names = getattr(self, "feature_names_in_", None)
            members = members_of_groups(groups_of_columns(self.column_groups, names, n_columns, type(self).__name__))
        elif self.order == "spearman":
            members = members_of_groups(correlated_clusters(spearman_correlations(X), self.n_clusters))
        else:
            members = [np.arange(n_columns)]
        if self.order == "spearman":
            members = [by_cumulative_correlation(group, spearman_correlations(X[:, group])) for group in members]
        return members

    def _fit_seed(self, examples, validation, seed):
        """Train one network, append its weights (or those of its snapshots) to `networks_` and return its history."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network()
        loss = classification_loss
        if self.combination == "mean":
            loss = MeanOverHeads(loss, len(self.column_groups_))
        checkpoint = None
        if self.checkpoint_dir is not None:
            checkpoint = Path(self.checkpoint_dir) / f"ordered-table-{seed}-{{training}}.safetensors"
        with torch_threads(self.n_threads):
            fitted = fit_network(
                network,
                examples,
                loss,
                self._settings_of("training"),
                validation=validation if len(validation) else None,
                seed=seed,
                device=self.device,
                checkpoint=checkpoint,
                description="Training table network",
            )
        states = fitted.snapshots or [network.state_dict()]
        self.networks_ += [{name: value.numpy().copy() for name, value in state.items()} for state in states]
        return fitted.history

    def _network(self):
        return TableNetwork(
            [len(columns) for columns in self.column_groups_],
            1 if len(self.classes_) == 2 else len(self.classes_),
            combination=self.combination,
            global_pooling=self.global_pooling,
            width=self.width,
            kernel_size=self.kernel_size,
        )

    def _rows(self, X):
        """Return standardized cases with ordered columns, float64 of shape (n_cases, 1, 1, n_features)."""
        order = np.concatenate(self.column_groups_)
        rows = (X[:, order] - self.mean_[order]) / self.scale_[order]
        return torch.from_numpy(rows)[:, None, None]

    def _outputs(self, X):
        """Return the probabilities of each network, float64 of shape (n_networks, n_cases, n_classes).

        They are computed in double precision, so that a case has the same whatever cases it is predicted with.
        """
        check_is_fitted(self, "networks_")
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite=False, reset=False)
        self._require_finite(X)
        rows = self._rows(X)
        device = chosen_device(self.device)
        with torch.random.fork_rng(devices=[]):
            network = self._network().double().to(device).eval()
        predictions = []
        with torch_threads(self.n_threads), torch.inference_mode():
            for state in self.networks_:
                network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
                probabilities = []
                for batch in rows.split(ROWS_AT_ONCE):
                    heads = network(batch.to(device)).chunk(len(network.heads), dim=1)
                    probabilities.append(torch.stack([self._link(outputs) for outputs in heads]).mean(dim=0))
                predictions.append(torch.cat(probabilities).cpu().numpy())
        return np.stack(predictions)

    def _check_settings(self):
        """Raise InputError for a parameter out of range."""
        name = type(self).__name__
        training = self._settings_of("training")
        require(isinstance(training, Training), self, "training", "a Training or None")
        training.check(name)
        is_odd = is_count(self.kernel_size, 1) and self.kernel_size % 2 == 1
        for parameter, allowed, is_allowed in (
            ("n_clusters", "an int >= 1", is_count(self.n_clusters, 1)),
            ("width", "an int >= 1", is_count(self.width, 1)),
            ("kernel_size", "an odd int >= 1", is_odd),
            ("class_weight", "None, 'balanced' or a dict of weights > 0 by class", is_class_weight(self.class_weight)),
            ("n_seeds", "an int >= 1", is_count(self.n_seeds, 1)),
            ("random_state", "an int >= 0", is_count(self.random_state, 0)),
            ("n_threads", "an int >= 1", self.n_threads is None or is_count(self.n_threads, 1)),
        ):
            require(is_allowed, self, parameter, allowed)
        require_option(self.order, ORDERS, self, "order")
        require_option(self.combination, COMBINATIONS, self, "combination")
        require_option(self.global_pooling, GLOBAL_POOLINGS, self, "global_pooling")
        is_batch = training.batch_size >= 3
        require(is_batch, name, "batch_size", "an int >= 3, for batch normalization", training.batch_size)
        if isinstance(training.augmentation, Augmentation):
            raise InputError(
                f"{name} cannot turn the columns of a table as if they were pixels. Take "
                "Training(augmentation=None), or change the default plan, as in OrderedTableCNN().set_params(epochs=5)."
            )
