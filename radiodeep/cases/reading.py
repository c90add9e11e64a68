"""How the files of a case are read, where there is a choice."""

from dataclasses import dataclass, fields, replace

from radiodeep.checks import require, require_option

CHANNELS = ("red", "green", "blue")
RGB_RULES = (None, "luminance", *CHANNELS, "channels")
PET_UNITS = ("SUV", "stored")


@dataclass(frozen=True)
class Reading:
    """Choices in reading the files of a case.

    Parameters
    ----------
    resample_mask : bool, default=False
        Bring a mask on another grid to that of its image, by the nearest voxel.
    rgb : {None, "luminance", "red", "green", "blue", "channels"}, default=None
        Read a colour picture as its luminance (0.299 R + 0.587 G + 0.114 B of the stored values, ITU-R BT.601), as one
        of its channels, or as the images "red", "green" and "blue" of the case. None refuses it. A picture whose
        channels are the same everywhere is grey.
    pet_unit : {"SUV", "stored"}, default="SUV"
        Convert PET series in DICOM to standardized uptake values by body weight, or keep the unit of the file.
    series : str, optional
        Description of the series, or a part of it, that is read of a DICOM folder with several. The only one of a
        folder, and the one that a mask was drawn on, is read whatever its description, with a warning.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.Case("ct.nii.gz", "mask_of_pet.nii.gz", "n-7", reading=rd.Reading(resample_mask=True)).reading.pet_unit
    'SUV'
    """

    resample_mask: bool = False
    rgb: str | None = None
    pet_unit: str = "SUV"
    series: str | None = None

    def __post_init__(self):
        require(isinstance(self.resample_mask, bool), Reading, "resample_mask", "True or False", self.resample_mask)
        require_option(self.rgb, RGB_RULES, Reading, "rgb")
        require_option(self.pet_unit, PET_UNITS, Reading, "pet_unit")
        is_text = self.series is None or (isinstance(self.series, str) and bool(self.series.strip()))
        require(is_text, Reading, "series", "None or a part of a description", self.series)

    def of_image(self, name):
        """Return the choices for one image of a case: its channel if the images are the channels of a picture."""
        return replace(self, rgb=name) if self.rgb == "channels" and name in CHANNELS else self


READING_OPTIONS = tuple(field.name for field in fields(Reading))
AS_IT_IS = Reading()
