"""What is known of how images were acquired in, and whether a cohort mixes what its features depend on, out."""

from typing import NamedTuple


class Acquisition(NamedTuple):
    """How an image was acquired and stored.

    Attributes
    ----------
    n_dimensions : int
        2 for an image of one slice.
    spacing_mm : tuple of three floats
        In (z, y, x) order.
    orientation : str
        Where the x, y and z axes of the file point to, e.g. "RAS"; "" if unknown.
    field_mm : tuple of three floats
        Extent of the image in (z, y, x) order.
    """

    n_dimensions: int
    spacing_mm: tuple
    orientation: str
    field_mm: tuple

    @classmethod
    def of(cls, shape, spacing_mm, orientation):
        """Return the acquisition of an image of a shape (z, y, x)."""
        spacing_mm = tuple(float(step) for step in spacing_mm)
        field_mm = tuple(size * step for size, step in zip(shape, spacing_mm, strict=True))
        return cls(2 if shape[0] == 1 else 3, spacing_mm, orientation, field_mm)
