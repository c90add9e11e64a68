"""The errors of radiodeep: each names the case, what was expected, what came, and the way out.

In: nothing. Out: exception and warning classes, all below `RadiodeepError` or `RadiodeepWarning`.
"""


class RadiodeepError(Exception):
    """Base of every error that radiodeep raises on purpose."""


class RadiodeepWarning(UserWarning):
    """Base of every warning of radiodeep: the numbers are right, but perhaps not what was meant."""


class InputError(RadiodeepError, ValueError):
    """An image, a mask, a manifest or a setting cannot be used as it is."""


class ManifestError(InputError):
    """The manifest of a cohort has problems; the message lists all of them at once."""


class FileUnreadableError(InputError):
    """A file is missing, empty, or of no image format that is known."""


class TruncatedFileError(InputError):
    """A file begins like an image, but its voxels are cut short or damaged."""


class UnsupportedImageError(InputError):
    """A file was read, but is not a scalar 2-D or 3-D image (colour, 4-D, sheared axes, soft mask)."""


class ImageTooLargeError(InputError):
    """An image would need more memory than is allowed."""


class DicomSeriesError(InputError):
    """A DICOM folder is not exactly one complete series."""


class GeometryMismatchError(InputError):
    """Image and mask do not lie on the same grid (size, spacing, origin or direction)."""


class EmptyMaskError(InputError):
    """The mask outlines no voxel at all."""


class LabelNotFoundError(InputError):
    """The mask holds no voxel of the label that was asked for."""


class AmbiguousMaskError(InputError):
    """The mask holds several labels and none was asked for."""


class RoiTooSmallError(InputError):
    """The region of interest has fewer voxels than the features need."""


class PerturbationError(InputError):
    """A perturbation changes no voxel of a case, or the image has no room for it."""


class NonFiniteIntensityError(InputError):
    """The image is NaN or infinite inside the region of interest."""


class TooManyGrayLevelsError(InputError):
    """Binning would make more grey levels than the cap; a larger bin width is needed."""


class WorkerKilledError(RadiodeepError):
    """The process that measured a case was killed, most often because memory ran out."""


class OutputError(RadiodeepError, OSError):
    """A file cannot be written: the disk is full, or the folder does not allow it."""


class MissingExtraError(RadiodeepError, ImportError):
    """An optional package is not installed; the message names the extra of radiodeep that brings it."""


class WeightsError(RadiodeepError):
    """The weights of a network are missing, unreadable, or do not belong to it."""


class TrainingError(RadiodeepError, FloatingPointError):
    """The training of a network came to numbers that are no longer finite."""


class ModelError(RadiodeepError):
    """A saved model cannot be used."""


class FeatureSchemaError(ModelError):
    """A model and a table (or its settings) do not speak of the same features."""


class ModelVersionError(ModelError):
    """A model was saved by other versions of radiodeep or scikit-learn."""


class UntrustedModelError(ModelError):
    """A model file holds types that are not known to be safe, or is a pickle that was not trusted."""


class StudyError(RadiodeepError, ValueError):
    """A study is set up in a way that cannot give a meaningful figure."""


class LeakageError(StudyError):
    """The same patient would be used for training and for testing."""


class SingleClassError(StudyError):
    """A training or test set holds one class only."""
