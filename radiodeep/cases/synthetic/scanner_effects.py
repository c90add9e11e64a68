"""In: a cohort and the centre of each case. Out: the cohort as if each centre had a scanner of its own."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from radiodeep.cases.cohort import Cohort, as_cases
from radiodeep.checks import invalid, is_finite, require
from radiodeep.exceptions import InputError


@dataclass(frozen=True)
class Scanner:
    """What a scanner does to an image: ``gain * blurred + offset + noise``.

    Parameters
    ----------
    gain : float, default=1.0
        > 0; contrast grows with it.
    offset : float, default=0.0
        In units of the image.
    noise : float, default=0.0
        Standard deviation of white Gaussian noise, in units of the image after the gain.
    blur_mm : float, default=0.0
        Standard deviation of a Gaussian point spread function.
    """

    gain: float = 1.0
    offset: float = 0.0
    noise: float = 0.0
    blur_mm: float = 0.0

    def __post_init__(self):
        for name, value in asdict(self).items():
            require(is_finite(value), "Scanner", name, "a finite number", value)
        require(self.gain > 0, "Scanner", "gain", "a number > 0", self.gain)
        for name in ("noise", "blur_mm"):
            require(getattr(self, name) >= 0, "Scanner", name, "a number >= 0", getattr(self, name))

    def image(self, voxels, spacing_mm, generator):
        """Return the voxels (z, y, x) as this scanner shows them, of the same type; whole numbers are rounded."""
        seen = voxels.astype(float)
        if self.blur_mm:
            seen = gaussian_filter(seen, [self.blur_mm / step for step in spacing_mm], mode="nearest")
        seen = self.gain * seen + self.offset + self.noise * generator.standard_normal(voxels.shape)
        if voxels.dtype.kind not in "iu":
            return seen.astype(voxels.dtype)
        limits = np.iinfo(voxels.dtype)
        return np.clip(np.round(seen), limits.min, limits.max).astype(voxels.dtype)


def with_scanner_effect(cohort, centres, scanners=None, random_state=0):
    """Return a cohort whose images are those of the scanners of several centres.

    With phantoms, whose outcomes are known to depend on texture and shape alone, it shows what differences between
    centres do to a study, and what harmonisation, or testing centre by centre, makes of them.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
        Each with one image.
    centres : array-like of shape (n_cases,)
        The name of the centre of each case.
    scanners : dict from centre to Scanner, optional
        By default drawn for each centre: the logarithm of the gain and that of the width of the point spread function
        (about 1 mm) with a standard deviation of 0.3, the offset with one of 30, noise between 0 and 15.
    random_state : int, default=0
        Seed of the noise and of drawn scanners: the same seed gives the same voxels.

    Returns
    -------
    Cohort
        Cases in memory, whose `clinical` facts name the "centre"; `frame` has it as a column.

    Raises
    ------
    InputError
        There is not one centre per case, or a centre has no scanner.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(4, random_state=0)
    >>> scanners = {"Bonn": rd.Scanner(), "Lyon": rd.Scanner(gain=2.0, offset=50.0)}
    >>> seen = rd.with_scanner_effect(cohort, ["Bonn", "Bonn", "Lyon", "Lyon"], scanners)
    >>> [case.clinical["centre"] for case in seen]
    ['Bonn', 'Bonn', 'Lyon', 'Lyon']
    >>> int(seen[2].voxels.max()) == 2 * int(cohort[2].voxels.max()) + 50
    True
    """
    cases = as_cases(cohort)
    names = [str(centre) for centre in centres]
    if len(names) != len(cases):
        raise InputError(f"Expected one centre per case: there are {len(cases)} cases and {len(names)} centres.")
    seeds = np.random.SeedSequence(random_state).spawn(len(cases) + 1)
    if scanners is None:
        scanners = _drawn(sorted(set(names)), np.random.default_rng(seeds[0]))
    without = [name for name in names if not isinstance(scanners.get(name), Scanner)]
    if without:
        raise invalid("with_scanner_effect", "scanners", f"a Scanner for the centre {without[0]!r}", scanners)
    seen = []
    for case, name, seed in zip(cases, names, seeds[1:], strict=True):
        voxels = scanners[name].image(case.voxels, case.spacing_mm, np.random.default_rng(seed))
        clinical = {**case.clinical, "centre": name}
        seen.append(case.in_memory().replace(image=voxels, clinical=clinical))
    frame = (cohort if isinstance(cohort, Cohort) else Cohort(cases)).frame
    return Cohort(seen, frame.assign(centre=names))


def _drawn(names, generator):
    """Return a random Scanner for each name."""
    return {
        name: Scanner(
            gain=float(np.exp(0.3 * generator.standard_normal())),
            offset=float(30 * generator.standard_normal()),
            noise=float(generator.uniform(0, 15)),
            blur_mm=float(np.exp(0.3 * generator.standard_normal())),
        )
        for name in names
    }
