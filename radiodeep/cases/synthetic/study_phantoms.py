"""In: the name of a published study. Out: a synthetic `Cohort` of its size, imaging and outcome, with a known truth."""

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from radiodeep.cases.case import Case
from radiodeep.cases.cohort import Cohort
from radiodeep.cases.synthetic.cluttered_lesions import draw_cluttered
from radiodeep.cases.synthetic.demo_lesions import draw_demo_lesion
from radiodeep.cases.synthetic.study_lesions import draw_glioma, draw_nodule, draw_sarcoma
from radiodeep.cases.synthetic.study_pictures import draw_skin_lesion, draw_vessels
from radiodeep.checks import is_count, require, require_option

HORIZON = 24.0  # months: label 1 is an event until then
_MEDIAN_TIME = 24.0  # months, at a log-hazard of 0
_FOLLOW_UP = (36.0, 72.0)  # months, so that every label is known


@dataclass(frozen=True)
class _Study:
    """The number of cases and of those with label 1, the function that draws a case, and the weights of its properties.

    A weight is the log-odds of label 1, or the log-hazard, per standard deviation of a property.
    """

    n_cases: int
    n_positive: int
    draw: object
    weights: tuple
    is_survival: bool = False


_STUDIES = {
    "adenocarcinoma": _Study(40, 20, draw_nodule, (1.6, 1.6, 0.0), is_survival=True),
    "nodules-1": _Study(261, 85, draw_nodule, (1.4, 1.4, 0.7)),
    "nodules-2": _Study(237, 85, draw_nodule, (1.4, 1.4, 0.7)),
    "glioma": _Study(22, 12, draw_glioma, (1.6, 1.6), is_survival=True),
    "glioma-68": _Study(68, 33, draw_glioma, (1.6, 1.6), is_survival=True),
    "sarcoma": _Study(51, 19, draw_sarcoma, (1.2, 1.2, 0.6, 0.6), is_survival=True),
    "skin": _Study(450, 0, draw_skin_lesion, ()),
    "vessels": _Study(200, 0, draw_vessels, ()),
    "demo": _Study(200, 100, draw_demo_lesion, (2.0, 2.0)),
    "cluttered": _Study(60, 30, draw_cluttered, (1.6, 1.6)),
}


def make_study_cohort(name, n_cases=None, random_state=0):
    """Make synthetic cases like those of a published study: as many, as imbalanced, with the same kind of images.

    The properties that decide on the outcome are uniform in the population. The log-odds of label 1, or the log-hazard,
    are a weighted sum of them in standard deviations; the best possible model knows this sum, which `frame` holds.

    ================ ===== ======= ====================================== ==================================== ====
    name             cases label 1 images                                 what the outcome depends on          AUC
    ================ ===== ======= ====================================== ==================================== ====
    "adenocarcinoma" 40    20      CT volume                              correlation length, spiculation      0.93
    "nodules-1"      261   85      CT volume                              correlation length, spiculation and, 0.88
    "nodules-2"      237   85                                             half as much, radius
    "glioma"         22    12      MR volumes T2, FLAIR and T1c, one mask share of necrosis, correlation       0.93
    "glioma-68"      68    33                                             length of the infiltrated part
    "sarcoma"        51    19      MR and PET volumes, a mask each; facts correlation length in MR,            0.92
                                                                          heterogeneity in PET, age, grade
    "skin"           450           picture of 64 x 64 pixels              three kinds of lesion, of three      0.97
                                                                          diagnoses each
    "vessels"        200           picture of 64 x 64 pixels              calibre and tortuosity of vessels
    "demo"           200   100     CT volume                              correlation length across the slices 0.92
                                                                          and brightness of the centre
    "cluttered"      60    30      CT volume: the lesion lies somewhere   correlation length, spiculation      0.89
                                   among vessels and an organ as bright
    ================ ===== ======= ====================================== ==================================== ====

    The AUC is that of the truth (of skin lesions Hand and Till's M). Adenocarcinomas, gliomas and sarcomas also have
    times and events: the hazard is log(2) / 24 per month times ``exp(log_hazard)``, follow-up ends after 36 to 72
    months, label 1 is death within 24 months, and the C index of the truth is 0.85 to 0.87. Skin lesions have the
    `diagnosis` among their clinical facts, and their label is the class that contains it; the best possible accuracy is
    0.87, since diagnoses of different classes can look alike, as a melanoma and a naevus do. Vessels have two numbers:
    `calibre_mm`, which is the label, and `tortuosity`, the length of a vessel divided by the distance of its ends.

    Parameters
    ----------
    name : str
    n_cases : int, optional
        By default that of the study (skin: 129,450 images there); the shares of the classes are kept.
    random_state : int, RandomState or None, default=0
        The same seed gives the same voxels.

    Returns
    -------
    Cohort
        `frame` has the true properties of each case.

    Examples
    --------
    >>> from radiodeep import make_study_cohort
    >>> cohort = make_study_cohort("glioma", n_cases=4)
    >>> cohort.labels.tolist(), cohort[0].image_names
    ([0, 1, 0, 1], ('T2', 'FLAIR', 'T1c'))
    >>> make_study_cohort("skin", n_cases=3).labels.tolist()
    ['benign', 'benign', 'benign']
    """
    require_option(name, tuple(_STUDIES), "make_study_cohort", "name")
    require(n_cases is None or is_count(n_cases, 1), "make_study_cohort", "n_cases", "an int >= 1", n_cases)
    study = _STUDIES[name]
    n_cases = study.n_cases if n_cases is None else n_cases
    seeds = np.random.SeedSequence([check_random_state(random_state).randint(2**31), zlib.crc32(name.encode())])
    cases, truths = [], []
    for number, child in enumerate(seeds.spawn(n_cases)):
        generator = np.random.default_rng(child)
        case_id = f"{name}-{number:03d}"
        if study.weights:
            positions, known = _draw_outcome(generator, study, _label(study, number, n_cases))
            drawn = study.draw(generator, positions)
        else:
            drawn, known = study.draw(generator, number)
        truth = drawn.pop("truth")
        outcome = {key: known[key] for key in ("label", "time", "event") if key in known}
        cases.append(Case(id=case_id, **drawn, **outcome))
        files = {"id": case_id, "patient": case_id, "image": "", "mask": ""}
        truths.append(files | known | truth | drawn.get("clinical", {}))
    return Cohort(cases, pd.DataFrame(truths))


def _label(study, number, n_cases):
    """Return the label of a case; both labels are spread evenly, so that few cases have the share of all."""
    n_positive = round(n_cases * study.n_positive / study.n_cases)
    return int((number + 1) * n_positive // n_cases - number * n_positive // n_cases)


def _draw_outcome(generator, study, label):
    """Draw properties (-1 to 1) and an outcome until its label is the given one; return both."""
    while True:
        positions = generator.uniform(-1, 1, len(study.weights))
        score = float(np.sqrt(3) * positions @ study.weights)  # a uniform on (-1, 1) has SD 1 / sqrt(3)
        if study.is_survival:
            time = generator.exponential(_MEDIAN_TIME / np.log(2) * np.exp(-score))
            drawn = time <= HORIZON
        else:
            drawn = generator.random() < 1 / (1 + np.exp(-score))
        if drawn == bool(label):
            break
    if not study.is_survival:
        return positions, {"label": label, "log_odds": round(score, 4)}
    end = generator.uniform(*_FOLLOW_UP)
    follow_up = {"time": max(round(float(min(time, end)), 2), 0.01), "event": bool(time <= end)}
    return positions, {"label": label, **follow_up, "log_hazard": round(score, 4)}
