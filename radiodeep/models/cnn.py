"""Cases or images in, probabilities out: convolutional networks trained from scratch, or the last part of them."""

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin

from radiodeep.exceptions import InputError, SingleClassError
from radiodeep.models.network_estimator import NetworkEstimator
from radiodeep.models.shared_outputs import shared_output
from radiodeep.networks.training.losses import class_weights, classification_loss, numbered_classes, regression_loss


class CNNClassifier(ClassifierMixin, NetworkEstimator):
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
        probability of a case is their mean. Images of an array are of 0..1 already if `intensity_range` is None.
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
    class_weight : "balanced", dict or None, default="balanced"
        What a case of each class weighs in the loss: "balanced" lets all classes weigh the same, a dict holds a
        weight by class, None lets all cases weigh the same. The weights are taken out of the probabilities again,
        so that these are risks at the share of the classes in the training cases; the choice of `predict` keeps them.
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
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        The plane of the slices; by default that of acquisition.
    pixel_mm : float, optional
        Side of the square pixels that cases are brought to before anything is cut, so that the network sees the same
        of scans with finer and coarser pixels. None keeps the pixels of each file. Cubes have none.

    Attributes
    ----------
    classes_ : ndarray
    class_weights_ : ndarray of shape (n_classes,)
        What a case of each class weighed in the loss. Models saved without it give the probabilities of the weighted
        classes, as they did when they were saved.
    normalization_ : ndarray of shape (2, channels)
        Mean and standard deviation by which images of 0..1 are brought to the scale of the networks: that of the
        weights that training started from, or the usual one of the architecture.
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

    Warns
    -----
    RadiodeepWarning
        The training loss rose or did not fall by 1 %, there are too few patients for a validation part, or spacings
        differ between cases and `pixel_mm` is None.

    Notes
    -----
    A network trained with weights w of the classes predicts risks p' of a population whose classes have shares
    changed by w. Those of the training cases are p = (p' / w) / sum (p' / w), a shift of the log-odds by
    -log(w1 / w0) for two classes, which leaves the order of cases as it is (Saerens et al., 2002).

    References
    ----------
    R. Paul, L. Hall, D. Goldgof, M. Schabath, R. Gillies, Predicting nodule malignancy using a CNN ensemble
    approach, IJCNN 2018. G. Huang et al., Snapshot ensembles, ICLR 2017. M. Saerens, P. Latinne, C. Decaestecker,
    Adjusting the outputs of a classifier to new a priori probabilities, Neural Computation 14 (2002) 21.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(12, random_state=0)
    >>> model = rd.CNNClassifier("arch3", epochs=1, batch_size=8).fit(cohort, cohort.labels)
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
        self._check_settings()
        self.class_weights_ = class_weights(self.classes_, numbers, self.class_weight)
        weights = None if self.class_weight is None else self.class_weights_[numbers]
        return self._fit(X, numbers, numbers, groups, len(self.classes_), classification_loss, weights)

    def predict_members(self, X):
        """Return the probabilities of each network, shape (n_networks, n_cases, n_classes)."""
        return shared_output(self, X, self._outputs)

    def predict_proba(self, X):
        """Return the mean of the networks' probabilities, shape (n_cases, n_classes)."""
        return self.predict_members(X).mean(axis=0)

    def predict(self, X):
        """Return the class of each case whose probability times its class weight is largest.

        With "balanced" and two classes that is the second where its probability exceeds its share in training.
        """
        probabilities = self.predict_proba(X)
        weights = getattr(self, "class_weights_", np.ones(len(self.classes_)))
        return self.classes_[(probabilities * weights).argmax(axis=1)]

    def _link(self, outputs):
        """Return probabilities of the classes at their shares in training; two classes may have one logit."""
        weights = getattr(self, "class_weights_", np.ones(len(self.classes_)))
        shift = torch.as_tensor(np.log(weights), dtype=outputs.dtype, device=outputs.device)
        if outputs.shape[1] == 1:
            log_odds = outputs - (shift[1] - shift[0])
            return torch.cat([torch.sigmoid(-log_odds), torch.sigmoid(log_odds)], dim=1)
        return torch.softmax(outputs[:, : len(self.classes_)] - shift, dim=1)


class CNNRegressor(RegressorMixin, NetworkEstimator):
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
