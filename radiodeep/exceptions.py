"""Exceptions and warnings: each message names the case, what was expected, what came, and the way out."""


class RadiodeepError(Exception):
    """Base class of all errors that radiodeep raises."""


class RadiodeepWarning(UserWarning):
    """Base class of all warnings of radiodeep: the numbers are correct, but perhaps not what was meant."""


class InputError(RadiodeepError, ValueError):
    """An image, a mask, a manifest or a setting cannot be used."""


class ManifestError(InputError):
    """The manifest of a cohort has problems; the message lists all of them at once."""


class FileUnreadableError(InputError):
    """A file is missing, empty, or not of a known image format."""


class TruncatedFileError(InputError):
    """A file begins like an image, but its voxels are incomplete or damaged."""


class UnsupportedImageError(InputError):
    """A file is readable, but not a scalar 2-D or 3-D image (colour, 4-D, sheared axes, soft mask)."""


class DicomSeriesError(UnsupportedImageError):
    """A folder of DICOM files cannot be read as one image."""


class ImageTooLargeError(InputError):
    """An image would need more memory than is allowed."""


class GeometryMismatchError(InputError):
    """Image and mask do not lie on the same grid (size, spacing, origin or direction)."""


class MissingImageError(InputError):
    """The case has no image of this name."""


class AmbiguousImageError(InputError):
    """The case has several images, and none was chosen."""


class EmptyMaskError(InputError):
    """The mask is empty."""


class LabelNotFoundError(InputError):
    """The mask has no voxel of the requested label."""


class AmbiguousMaskError(InputError):
    """The mask has several labels, and none was requested."""


class RoiTooSmallError(InputError):
    """The region of interest has fewer voxels than the features need."""


class PerturbationError(InputError):
    """A perturbation changes no voxel of a case, or reaches beyond the image."""


class NonFiniteIntensityError(InputError):
    """The image is NaN or infinite inside the region of interest."""


class TooManyGrayLevelsError(InputError):
    """Binning would make more grey levels than the cap; a larger bin width is needed."""


class WorkerKilledError(RadiodeepError):
    """The worker process of a case was killed, most often because memory ran out."""


class OutputError(RadiodeepError, OSError):
    """A file cannot be written: the disk is full, or the folder does not allow it."""


class MissingExtraError(RadiodeepError, ImportError):
    """An optional package is not installed; the message names the extra of radiodeep that brings it."""


class WeightsError(RadiodeepError):
    """The weights of a network are missing, unreadable, or do not belong to it."""


class TrainingError(RadiodeepError, FloatingPointError):
    """The loss or the weights of a network in training are no longer finite."""


class ModelError(RadiodeepError):
    """A saved model cannot be used."""


class FeatureSchemaError(ModelError):
    """A model and a table, or its settings, have different features."""


class ModelVersionError(ModelError):
    """A model was saved by other versions of radiodeep or scikit-learn."""


class UntrustedModelError(ModelError):
    """A model file contains types not known to be safe, or is a pickle that the user did not trust."""


class StudyError(RadiodeepError, ValueError):
    """The design of a study cannot give a meaningful result."""


class LeakageError(StudyError):
    """The same patient would be used for training and for testing."""


class SingleClassError(StudyError):
    """A training or test set has only one class."""
