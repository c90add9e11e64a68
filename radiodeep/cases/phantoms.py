"""In: a number of cases and a seed. Out: a synthetic `Cohort` whose outcomes depend on texture and shape only."""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from sklearn.utils import check_random_state

from radiodeep.cases.case import Case
from radiodeep.cases.cohort import Cohort
from radiodeep.checks import is_count, is_flag, require

SHAPE = (24, 44, 44)  # z, y, x
SPACING_MM = (1.5, 1.0, 1.0)
BACKGROUND, LESION, TEXTURE_SD, NOISE_SD = 0.0, 100.0, 40.0, 12.0
CORRELATION_MM = (0.8, 3.0)
SPICULATION = (0.04, 0.30)
RADIUS_MM = (8.0, 12.5)
_EVIDENCE = 1.6  # log-odds per standard deviation of texture and of shape
_MEDIAN_TIME = 24.0  # months, at the mean of texture and shape
_FOLLOW_UP = (12.0, 60.0)  # months
_N_WAVES = 24


def make_phantom_cohort(n_cases=40, random_state=None, survival=False):
    """Make lesions whose label, or survival, depends on their correlation length and spiculation.

    Both are uniform in the population (correlation length 0.8 to 3 mm on a log scale, spiculation
    0.04 to 0.30 of the radius); the log-odds of label 1 is their sum in standard deviations times
    1.6. Size, mean and noise carry no information. The best possible classifier, which knows both
    properties exactly, has an AUC of 0.89; with one of them only it has 0.77.

    With `survival` the same lesions have times instead of labels. The time to the event is exponential with the hazard
    log(2) / 24 per month times ``exp(log_hazard)``, where `log_hazard` is that sum times 1.6; follow-up ends at a time
    that is uniform from 12 to 60 months. Among 57 % of the cases the event is seen. The best possible risk score has a
    C index of 0.87 (0.85 without censoring).

    Parameters
    ----------
    n_cases : int, default=40
        Cases alternate between label 0 and 1.
    random_state : int, RandomState or None
        The same seed gives the same voxels.
    survival : bool, default=False
        Give cases `time`, in months, and `event` in place of `label`.

    Returns
    -------
    Cohort
        Cases of shape (24, 44, 44), int16, spacing (1.5, 1, 1) mm. `frame` has the true
        `correlation_mm`, `spiculation`, `radius_mm` and `probability` of label 1, or `log_hazard`.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> cohort = make_phantom_cohort(4, random_state=0)
    >>> cohort.labels.tolist(), cohort[0].voxels.shape
    ([0, 1, 0, 1], (24, 44, 44))
    >>> make_phantom_cohort(2, random_state=0, survival=True).survival.dtype.names
    ('event', 'time')
    """
    require(is_count(n_cases, 1), "make_phantom_cohort", "n_cases", "an int >= 1", n_cases)
    require(is_flag(survival), "make_phantom_cohort", "survival", "True or False", survival)
    seed = check_random_state(random_state).randint(2**31)
    cases, truths = [], []
    for number, child in enumerate(np.random.SeedSequence(seed).spawn(n_cases)):
        generator = np.random.default_rng(child)
        truth = _draw_truth(generator, label=number % 2)
        image, mask = _draw_lesion(generator, truth)
        case_id = f"phantom-{number:03d}"
        outcome = {"label": number % 2}
        if survival:
            probability = truth.pop("probability")
            truth["log_hazard"] = round(float(np.log(probability / (1 - probability))), 4)
            outcome = _draw_follow_up(generator, truth["log_hazard"])
        cases.append(Case(image, mask, case_id, SPACING_MM, **outcome))
        truths.append({"id": case_id, "patient": case_id, "image": "", "mask": ""} | outcome | truth)
    return Cohort(cases, pd.DataFrame(truths))


def _draw_truth(generator, label):
    """Draw from p(lesion | label) by rejection: draw lesions and their labels until the label is the given one."""
    while True:
        texture, shape = generator.uniform(-1, 1, size=2)
        log_odds = _EVIDENCE * np.sqrt(3) * (texture + shape)  # a uniform on (-1, 1) has SD 1 / sqrt(3)
        probability = 1 / (1 + np.exp(-log_odds))
        if (generator.random() < probability) == label:
            break
    low, high = np.log(CORRELATION_MM)
    return {
        "correlation_mm": round(float(np.exp(low + (texture + 1) / 2 * (high - low))), 4),
        "spiculation": round(float(SPICULATION[0] + (shape + 1) / 2 * (SPICULATION[1] - SPICULATION[0])), 4),
        "radius_mm": round(float(generator.uniform(*RADIUS_MM)), 4),
        "probability": round(float(probability), 4),
    }


def _draw_follow_up(generator, log_hazard):
    to_event = generator.exponential(_MEDIAN_TIME / np.log(2) * np.exp(-log_hazard))
    to_end = generator.uniform(*_FOLLOW_UP)
    return {"time": max(round(float(min(to_event, to_end)), 2), 0.01), "event": bool(to_event <= to_end)}


def _draw_lesion(generator, truth):
    axes = [(np.arange(size) - (size - 1) / 2) * step for size, step in zip(SHAPE, SPACING_MM, strict=True)]
    position = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - generator.uniform(-1, 1, size=3)
    distance = np.linalg.norm(position, axis=-1)
    direction = position / np.maximum(distance, 1e-9)[..., np.newaxis]
    spiculation = truth["spiculation"]
    outline = truth["radius_mm"] * (1 + spiculation * _spicules(generator, direction))
    outline /= np.cbrt(1 + 3 * spiculation**2)  # keeps the mean volume, so that size carries no information
    mask = distance <= outline

    sigma_voxels = [truth["correlation_mm"] / step for step in SPACING_MM]
    texture = gaussian_filter(generator.standard_normal(SHAPE), sigma_voxels, mode="wrap")
    texture = (texture - texture[mask].mean()) / texture[mask].std() * TEXTURE_SD
    noise = generator.standard_normal(SHAPE) * NOISE_SD
    image = np.where(mask, LESION + texture, BACKGROUND) + noise
    return np.round(image).astype(np.int16), mask.astype(np.uint8)


def _spicules(generator, direction):
    """Return a random smooth function on the sphere with mean 0 and SD 1, shape (z, y, x)."""
    waves = generator.standard_normal((_N_WAVES, 3))
    waves *= generator.uniform(4, 9, size=(_N_WAVES, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    phases = generator.uniform(0, 2 * np.pi, _N_WAVES)
    return np.cos(direction @ waves.T + phases).sum(axis=-1) * np.sqrt(2 / _N_WAVES)
