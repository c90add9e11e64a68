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
UPTAKE_SHAPE, UPTAKE_SPACING_MM = (14, 20, 20), (3.0, 2.5, 2.5)  # of a second image
UPTAKE_SD, UPTAKE_MM = (4.0, 32.0), 5.0  # heterogeneity of the uptake, and its correlation length
FURTHER_RADIUS_MM = (4.0, 7.0)  # of the other lesions of a patient
AGE, AGE_SD, STAGES = (58.0, 64.0), 9.0, ("I", "II", "III")
STAGE_SHARES = ((0.5, 0.3, 0.2), (0.3, 0.3, 0.4))  # of label 0 and 1
_EVIDENCE = 1.6  # log-odds per standard deviation of texture and of shape
_MEDIAN_TIME = 24.0  # months, at the mean of texture and shape
_FOLLOW_UP = (12.0, 60.0)  # months
_N_WAVES = 24


def make_phantom_cohort(n_cases=40, random_state=None, survival=False, images=None, max_lesions=1, clinical=False):
    """Make lesions whose label, or survival, depends on their correlation length and spiculation.

    Both are uniform in the population (correlation length 0.8 to 3 mm on a log scale, spiculation
    0.04 to 0.30 of the radius); the log-odds of label 1 is their sum in standard deviations times
    1.6. Size, mean and noise carry no information. The best possible classifier, which knows both
    properties exactly, has an AUC of 0.89; with one of them only it has 0.77.

    With `survival` the same lesions have times instead of labels. The time to the event is exponential with the hazard
    log(2) / 24 per month times ``exp(log_hazard)``, where `log_hazard` is that sum times 1.6; follow-up ends at a time
    that is uniform from 12 to 60 months. Among 57 % of the cases the event is seen. The best possible risk score has a
    C index of 0.87 (0.85 without censoring).

    With two `images` the second property is not the spiculation but the heterogeneity of the uptake in the second image
    (SD 4 to 32), which has a grid of its own. With `max_lesions` only the largest lesion of a patient carries the
    properties; those of the others are drawn without regard to the outcome. `clinical` facts depend on the label alone:
    the age has an AUC of 0.68, the stage one of 0.63.

    Parameters
    ----------
    n_cases : int, default=40
        Cases alternate between label 0 and 1.
    random_state : int, RandomState or None
        The same seed gives the same voxels.
    survival : bool, default=False
        Give cases `time`, in months, and `event` in place of `label`.
    images : sequence of two str, optional
        Names of two images, e.g. ("T1", "PET"), each with its own mask.
    max_lesions : int, default=1
        Patients have 1 to this many lesions; `n_cases` counts patients then.
    clinical : bool, default=False
        Give cases an age and a stage; not with `survival`.

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
    _check_settings(n_cases, survival, images, max_lesions, clinical)
    seed = check_random_state(random_state).randint(2**31)
    cases, truths = [], []
    for number, child in enumerate(np.random.SeedSequence(seed).spawn(n_cases)):
        generator = np.random.default_rng(child)
        label = number % 2
        truth = _draw_truth(generator, label, "spiculation" if images is None else "uptake_sd")
        patient = f"phantom-{number:03d}"
        lesions = [(truth, _draw_images(generator, truth, images))]
        outcome = {"label": label}
        if survival:
            probability = truth.pop("probability")
            truth["log_hazard"] = round(float(np.log(probability / (1 - probability))), 4)
            outcome = _draw_follow_up(generator, truth["log_hazard"])
        for _ in range(generator.integers(max_lesions) if max_lesions > 1 else 0):
            further = _draw_further(generator, truth)
            lesions.append((further, _draw_images(generator, further, images)))
        facts = _draw_clinical(generator, label) if clinical else {}
        for lesion, (known, (image, mask, spacing_mm)) in enumerate(lesions):
            case_id = patient if max_lesions == 1 else f"{patient}-{lesion}"
            cases.append(Case(image, mask, case_id, spacing_mm, patient, clinical=facts, **outcome))
            truths.append({"id": case_id, "patient": patient, "image": "", "mask": ""} | outcome | known | facts)
    return Cohort(cases, pd.DataFrame(truths))


def _check_settings(n_cases, survival, images, max_lesions, clinical):
    owner = "make_phantom_cohort"
    require(is_count(n_cases, 1), owner, "n_cases", "an int >= 1", n_cases)
    require(is_count(max_lesions, 1), owner, "max_lesions", "an int >= 1", max_lesions)
    is_pair = images is None or (not isinstance(images, str) and len(images) == len(set(images)) == 2)
    require(is_pair, owner, "images", "None or two names", images)
    for name, value in (("survival", survival), ("clinical", clinical)):
        require(is_flag(value), owner, name, "True or False", value)
    require(not (survival and clinical), owner, "clinical", "False with survival=True", clinical)


def _draw_truth(generator, label, second):
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
        **_second_property(generator, second, shape),
        "radius_mm": round(float(generator.uniform(*RADIUS_MM)), 4),
        "probability": round(float(probability), 4),
    }


def _second_property(generator, name, position):
    """Return the spiculation, or one without information and the heterogeneity of uptake; the position is of -1..1."""
    low, high = SPICULATION if name == "spiculation" else UPTAKE_SD
    values = {name: round(float(low + (position + 1) / 2 * (high - low)), 4)}
    if name == "spiculation":
        return values
    return {"spiculation": round(float(generator.uniform(*SPICULATION)), 4), **values}


def _draw_further(generator, truth):
    """Return the properties of another, smaller lesion of a patient, which say nothing of the outcome."""
    name = "uptake_sd" if "uptake_sd" in truth else "spiculation"
    drawn = _draw_truth(generator, generator.integers(2), name)
    drawn["radius_mm"] = round(float(generator.uniform(*FURTHER_RADIUS_MM)), 4)
    return drawn | {key: truth[key] for key in ("probability", "log_hazard") if key in truth}


def _draw_clinical(generator, label):
    age = round(generator.normal(AGE[label], AGE_SD))
    return {"age": age, "stage": STAGES[generator.choice(3, p=STAGE_SHARES[label])]}


def _draw_follow_up(generator, log_hazard):
    to_event = generator.exponential(_MEDIAN_TIME / np.log(2) * np.exp(-log_hazard))
    to_end = generator.uniform(*_FOLLOW_UP)
    return {"time": max(round(float(min(to_event, to_end)), 2), 0.01), "event": bool(to_event <= to_end)}


def _draw_images(generator, truth, names):
    """Return image, mask and spacing of a lesion, or dicts of them for two images of the same outline."""
    is_inside = draw_outline(generator, truth)
    mask = is_inside(SHAPE, SPACING_MM)
    sigma_voxels = [truth["correlation_mm"] / step for step in SPACING_MM]
    image = textured(generator, mask, sigma_voxels, TEXTURE_SD)
    if names is None:
        return image, mask.astype(np.uint8), SPACING_MM
    first, second = names
    coarse_mask = is_inside(UPTAKE_SHAPE, UPTAKE_SPACING_MM)
    uptake = textured(generator, coarse_mask, [UPTAKE_MM / step for step in UPTAKE_SPACING_MM], truth["uptake_sd"])
    masks = {first: mask.astype(np.uint8), second: coarse_mask.astype(np.uint8)}
    return {first: image, second: uptake}, masks, {first: SPACING_MM, second: UPTAKE_SPACING_MM}


def draw_outline(generator, truth):
    """Return a function of the shape and spacing of a grid: the voxels inside the lesion."""
    offset = generator.uniform(-1, 1, size=3)
    spicules = _draw_spicules(generator)
    spiculation = truth["spiculation"]
    mean_radius = truth["radius_mm"] / np.cbrt(1 + 3 * spiculation**2)  # keeps the mean volume: size says nothing

    def is_inside(shape, spacing_mm):
        axes = [(np.arange(size) - (size - 1) / 2) * step for size, step in zip(shape, spacing_mm, strict=True)]
        position = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - offset
        distance = np.linalg.norm(position, axis=-1)
        direction = position / np.maximum(distance, 1e-9)[..., np.newaxis]
        beyond = distance - mean_radius * (1 + spiculation * spicules(direction.astype(np.float32)))
        inside, is_close = beyond <= 0, np.abs(beyond) < 1e-3  # in mm, far above the error of single precision
        inside[is_close] = distance[is_close] <= mean_radius * (1 + spiculation * spicules(direction[is_close]))
        return inside

    return is_inside


def textured(generator, mask, sigma_voxels, standard_deviation):
    """Return an image of a lesion with a texture of the given correlation length, on a dark background with noise."""
    texture = gaussian_filter(generator.standard_normal(mask.shape), sigma_voxels, mode="wrap")
    texture = (texture - texture[mask].mean()) / texture[mask].std() * standard_deviation
    noise = generator.standard_normal(mask.shape) * NOISE_SD
    image = np.where(mask, LESION + texture, BACKGROUND) + noise
    return np.round(image).astype(np.int16)


def _draw_spicules(generator):
    """Return a random smooth function on the sphere with mean 0 and SD 1: directions (..., 3) to values (...).

    It computes in the precision of the directions.
    """
    waves = generator.standard_normal((_N_WAVES, 3))
    waves *= generator.uniform(4, 9, size=(_N_WAVES, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    phases = generator.uniform(0, 2 * np.pi, _N_WAVES)

    def heights(direction):
        angles = direction @ waves.T.astype(direction.dtype)
        angles += phases.astype(direction.dtype)
        return np.cos(angles, out=angles).sum(axis=-1) * np.sqrt(2 / _N_WAVES)

    return heights
