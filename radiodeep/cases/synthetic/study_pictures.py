"""In: the number of a case. Out: a picture for `make_study_cohort`, of a skin lesion or of vessels."""

import numpy as np
from scipy.ndimage import gaussian_filter

from radiodeep.cases.synthetic.phantoms import NOISE_SD, draw_outline, textured

SIDE = 64  # pixels of 1 mm
CALIBRE_MM, WAVINESS = (2.0, 6.0), (0.0, 1.0)
N_VESSELS = (1, 2, 3)  # so that the dark area does not give the calibre away
# By diagnosis the class that contains it and the means of four properties in standard deviations: irregularity of the
# border, correlation length, darkness, and contrast of the centre to the border.
_DIAGNOSES = {
    "naevus": ("benign", (-1.2, -1.2, 1.0, 0.0)),
    "lentigo": ("benign", (-1.2, 1.2, -1.0, 0.0)),
    "seborrhoeic keratosis": ("benign", (1.2, 1.2, 1.0, -1.2)),
    "melanoma": ("malignant", (1.2, -1.2, 1.0, 0.0)),
    "basal cell carcinoma": ("malignant", (-1.2, 0.0, -1.0, 1.5)),
    "squamous cell carcinoma": ("malignant", (1.2, 1.2, -1.0, 1.2)),
    "eczema": ("non-neoplastic", (1.2, 0.0, -1.0, -1.2)),
    "psoriasis": ("non-neoplastic", (-1.2, -1.2, -1.0, -1.2)),
    "abscess": ("non-neoplastic", (-1.2, 1.2, 1.0, 1.5)),
}
_SPREAD = 0.75  # standard deviation of each property within a diagnosis


def draw_skin_lesion(generator, number):
    """Return the picture of a lesion, the diagnosis going round, and its class."""
    diagnosis = tuple(_DIAGNOSES)[number % len(_DIAGNOSES)]
    label, means = _DIAGNOSES[diagnosis]
    border, scale, darkness, centre = means + _SPREAD * generator.standard_normal(4)
    truth = {
        "spiculation": _squeezed(border, 0.02, 0.22),
        "correlation_mm": _squeezed(scale, 0.7, 4.0),
        "darkness": _squeezed(darkness, 60.0, 140.0),
        "centre_contrast": _squeezed(centre, -60.0, 60.0),
        "radius_mm": round(float(generator.uniform(14, 22)), 4),
    }
    mask = draw_outline(generator, truth)((1, SIDE, SIDE), (1.0, 1.0, 1.0))
    lesion = textured(generator, mask, [0, truth["correlation_mm"], truth["correlation_mm"]], 25.0)
    rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    nearness = np.exp(-(rows**2 + columns**2) / truth["radius_mm"] ** 2)
    image = 250 - lesion[0] - mask[0] * (truth["darkness"] - 100 + truth["centre_contrast"] * (2 * nearness - 1))
    drawn = _picture(image, mask[0]) | {"clinical": {"diagnosis": diagnosis}, "truth": truth}
    return drawn, {"label": label}


def draw_vessels(generator, number):
    """Return a picture of dark vessels of one calibre and tortuosity on a bright round field, and these two numbers."""
    calibre = round(float(generator.uniform(*CALIBRE_MM)), 4)
    waviness = generator.uniform(*WAVINESS)
    n_vessels = int(generator.choice(N_VESSELS))
    place = np.linspace(-0.45, 0.45, 400)
    is_vessel, lengths = np.zeros((SIDE, SIDE), bool), []
    rows, columns = np.indices((SIDE, SIDE))
    turn = generator.uniform(0, 2 * np.pi)
    for vessel in range(n_vessels):
        wave = np.sin(2 * np.pi * (2.0 * place + generator.random()))
        x, y = place * SIDE, wave * 5 * waviness + 16 * (vessel - (n_vessels - 1) / 2)
        lengths.append(np.hypot(np.diff(x), np.diff(y)).sum() / np.hypot(x[-1] - x[0], y[-1] - y[0]))
        points = np.array([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)]) + (SIDE - 1) / 2
        apart = np.square(rows[..., None] - points[0]) + np.square(columns[..., None] - points[1])
        is_vessel |= apart.min(axis=-1) <= (calibre / 2) ** 2
    is_field = np.hypot(rows - (SIDE - 1) / 2, columns - (SIDE - 1) / 2) <= SIDE / 2 - 1
    light = gaussian_filter(generator.standard_normal((SIDE, SIDE)), 12, mode="wrap")  # uneven light
    image = 160 + 12 * light / light.std() - 60 * gaussian_filter(is_vessel.astype(float), 0.7)
    drawn = _picture(image * is_field + generator.standard_normal((SIDE, SIDE)) * NOISE_SD / 2, is_field)
    tortuosity = round(float(np.mean(lengths)), 4)
    truth = {"calibre_mm": calibre, "tortuosity": tortuosity, "n_vessels": n_vessels}
    return drawn | {"truth": truth}, {"label": calibre}


def _picture(image, mask):
    pixels = np.clip(np.round(image), 0, 255).astype(np.uint8)
    return {"image": pixels, "mask": mask.astype(np.uint8), "spacing_mm": (1.0, 1.0)}


def _squeezed(score, low, high):
    """Return a standard score on a scale from low to high, which it approaches beyond two standard deviations."""
    return round(float(low + (high - low) / (1 + np.exp(-1.5 * score))), 4)
