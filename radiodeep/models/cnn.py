"""Cases or images -> probabilities or numbers: convolutional networks that are trained here, whole or in part."""

import numpy as np
import torch
from sklearn.base import RegressorMixin

from radiodeep.exceptions import InputError, SingleClassError
from radiodeep.models.class_probabilities import WeightedNetworks
from radiodeep.models.network_estimator import NetworkEstimator
from radiodeep.networks.training.losses import class_weights, classification_loss, numbered_classes, regression_loss


class CNNClassifier(WeightedNetworks, NetworkEstimator):
    """A convolutional network trained on cases or images, by default the third architecture of the nodule studies.

    Parameters
    ----------
    architecture : str, default="arch3"
        "arch1", "arch2" or "arch3" of the nodule studies, "radiodeep-mini", or any model of timm: these see each slice
        by itself. "arch2-slices", "arch1-lstm", "arch1-gru", "arch1-attention", "arch3-lstm", "arch3-gru" and
        "arch3-attention" read all slices of a lesion in order, as one example. "arch3d" sees a cube of 32 voxels;
        "medicalnet_resnet10" (..18, 34, 50) and "fcib_resnet50" see cubes with a spacing of their own, in the
        intensities of the image. "mnist" and "mnist-contest" are those of the lectures, for digits of 28 x 28 pixels.
    weights : None, "packaged", "pretrained", path or state dict, default=None
        Initial weights, as in `load_weights`; None trains from scratch.
    n_layers : int, optional
        Number of the last layers that are trained besides the classifier; 0 trains the classifier alone. By default all
        layers. As a rule of thumb for pretrained weights, train few layers if there are few cases.
    view : CaseView, optional
        What the network is shown of cases: `window`, `size`, `slice`, `intensity_range`, `slice_axis` and `pixel_mm`.
        By default ``CaseView()``.
    training : Training, optional
        The plan of the training: `epochs`, `n_views`, `batch_size`, `learning_rate`, `schedule`, `n_snapshots`,
        `optimizer`, `momentum`, `weight_decay`, `penalty`, `augmentation`, `validation_fraction`, `patience` and
        `precision`. By default ``Training()``.
    scoring_views : {None, "dihedral", "study"}, default=None
        Average the probabilities over 8 or 48 views of each new image.
    class_weight : "balanced", dict or None, default="balanced"
        Weight of a case of each class in the loss: "balanced" gives all classes the same total weight, a dict holds a
        weight by class, None gives all cases the same weight. Probabilities are corrected for the weights, so that they
        are risks at the class frequencies of the training cases; `predict` decides by the weighted probabilities.
    auxiliary : DataFrame, optional
        Further numbers by case id, e.g. spiculation, which the network learns to predict besides the class; NaN where
        unknown. They are not needed for new cases.
    auxiliary_weight : float, default=0.3
        Weight of their squared errors, of standardized values, relative to the loss of the classes.
    n_seeds : int, default=1
        Number of networks, each with its own initial weights, order and held-out patients. Probabilities are averaged.
    random_state : int, default=0
        On a processor, the same number gives the same networks.
    device : str, default="auto"
        "auto" is a GPU if torch finds one, else the processor.
    n_threads : int, optional
        Limits the threads of torch.
    checkpoint_dir : path-like, optional
        Folder in which each training saves its state after every epoch, so that a killed training is resumed. Several
        seeds, folds and settings can share it. Files of finished trainings are not deleted.
    **settings
        Settings of `view` and `training` by their own names: ``CNNClassifier(epochs=5)`` is
        ``CNNClassifier(training=Training(epochs=5))``. Likewise ``set_params(epochs=5)``, or
        ``set_params(training__epochs=5)``.

    Attributes
    ----------
    classes_ : ndarray
    class_weights_ : ndarray of shape (n_classes,)
        Weight of a case of each class in the loss. Models saved without it give the probabilities of the weighted
        classes, as they did when they were saved.
    normalization_ : ndarray of shape (2, channels)
        Mean and standard deviation by which images in the range 0..1 are normalized: those of the initial weights, or
        the default ones of the architecture.
    networks_ : list of dict from str to ndarray
        Weights of each network.
    history_ : list of list of dict
        For each training and epoch `epoch`, `learning_rate`, `loss` and `validation_loss`.
    training_range_ : dict
        Dimensions, spacing and intensities of the training cases, if they were not an array.

    Raises
    ------
    InputError
        If a parameter is out of range, or an image cannot be used.
    SingleClassError
        If all cases belong to one class.
    TrainingError
        If the loss is not finite.

    Warns
    -----
    RadiodeepWarning
        If the training loss rose or did not fall by 1 %, if there are too few patients to hold some out, or if spacings
        differ between cases and `pixel_mm` is None.

    Notes
    -----
    A network trained with class weights w predicts risks p' in a population in which the class frequencies are
    multiplied by w. The risks at the frequencies of the training cases are p = (p' / w) / sum (p' / w). For two classes
    this shifts the log-odds by -log(w1 / w0), which keeps the order of cases (Saerens et al., 2002).

    References
    ----------
    R. Paul, L. Hall, D. Goldgof, M. Schabath, R. Gillies, Predicting nodule malignancy using a CNN ensemble
    approach, IJCNN 2018. M. Saerens, P. Latinne, C. Decaestecker, Adjusting the outputs of a classifier to new a
    priori probabilities, Neural Computation 14 (2002) 21.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(12, random_state=0)
    >>> model = rd.CNNClassifier("arch3", epochs=1, batch_size=8).fit(cohort, cohort.labels)
    >>> model.predict_proba(cohort[:3]).shape
    (3, 2)
    >>> model.training
    Training(batch_size=8, epochs=1)
    """

    single_logit_for_binary = True

    def fit(self, X, y, groups=None):
        """Train the networks.

        Parameters
        ----------
        X : Cohort, sequence of Case, or array of shape (n, height, width) or (n, channels, height, width)
            Images of an array must be in the range 0..1, or are scaled to it by `intensity_range`. Networks for
            sequences and cubes take arrays of shape (n, slices, height, width); slices of a sequence that contain only
            NaN are padding.
        y : sequence of class labels
        groups : sequence, optional
            Group of each case, for the choice of held-out cases; by default the patients.
        """
        self.classes_, numbers = numbered_classes(y)
        if len(self.classes_) < 2:
            raise SingleClassError(f"A classifier needs cases of two classes. All are {self.classes_.tolist()}.")
        self._check_settings()
        self.class_weights_ = class_weights(self.classes_, numbers, self.class_weight)
        weights = None if self.class_weight is None else self.class_weights_[numbers]
        return self._fit(X, numbers, numbers, groups, len(self.classes_), classification_loss, weights)


class CNNRegressor(RegressorMixin, NetworkEstimator):
    """A convolutional network that predicts continuous targets of a case or an image, such as the calibre of vessels.

    The last layer has one linear output per target and is trained on the squared errors of standardized targets.
    Study it with `radiodeep.cross_validated_score`; `radiodeep.regression_measures` measures the agreement of given
    predictions and targets.

    Parameters
    ----------
    architecture, weights, ...
        Those of `CNNClassifier`; `class_weight` has no effect.

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
            As in `CNNClassifier.fit`.
        y : array of shape (n_cases,) or (n_cases, n_targets)
        """
        y = np.asarray(y, dtype=np.float64)
        if y.ndim not in (1, 2) or not np.isfinite(y).all():
            raise InputError(f"The numbers to learn must be finite, one or several per case. Got shape {y.shape}.")
        self.one_number_ = y.ndim == 1
        columns = y.reshape(len(y), -1)
        self.mean_ = columns.mean(axis=0)
        spread = columns.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        standardized = torch.from_numpy((columns - self.mean_) / self.scale_).float()
        strata = np.zeros(len(y), dtype=int)
        return self._fit(X, standardized, strata, groups, columns.shape[1], regression_loss)

    def predict(self, X):
        """Return the mean of the networks' predictions, shape (n_cases,) or (n_cases, n_targets)."""
        predictions = self._outputs(X).mean(axis=0) * self.scale_ + self.mean_
        return predictions[:, 0] if self.one_number_ else predictions

    def _link(self, outputs):
        return outputs[:, : len(self.mean_)]
