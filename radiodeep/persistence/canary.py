"""A fitted model -> its canary: synthetic cases or rows, and the model's predictions for them.

Predicted again elsewhere, they show whether the model still computes the same. They hold no voxel of a patient.
"""

import io
import warnings

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from radiodeep.cases.case import Case
from radiodeep.cases.patient import Patient
from radiodeep.cases.training_range import merged_range, noted_parts
from radiodeep.model_parts import parts_of

TOLERANCE = 1e-3  # of probabilities; devices and libraries differ by 1e-5
_N_CASES, _N_ROWS = 2, 3
_SHAPE = (12, 24, 24)
_UNKNOWN_RANGE = {
    "n_dimensions": [3],
    "spacing_mm": np.ones((2, 3)),
    "intensities": np.array([[0.0, 100.0, 200.0], [0.0, 100.0, 200.0]]),
}


def canary_of(model):
    """Return the canary of a fitted model as facts for the metadata of a file, and arrays as .npy files by name.

    The facts are `kind` ("cases" or "rows") and `predictions`, or the kind None and the `reason`.
    """
    try:
        kind, arrays = _inputs(model)
        predictions = _predictions(model, kind, arrays)
    except Exception as error:  # steps of the user's own may raise anything for synthetic cases
        return {"kind": None, "reason": type(error).__name__}, {}
    return {"kind": kind, "predictions": predictions.tolist()}, {name: _as_npy(array) for name, array in arrays.items()}


def difference_of(model, facts, extras):
    """Predict the canary that `canary_of` returned again; return the largest difference, or None without a canary.

    Differences are relative for values beyond 1, and infinite if the predicted classes differ.
    """
    if not isinstance(facts, dict) or facts.get("kind") is None:
        return None
    arrays = {name: _from_npy(content) for name, content in extras.items() if name.startswith("canary-")}
    now = _predictions(model, facts["kind"], arrays)
    then = np.asarray(facts["predictions"])
    if now.shape != then.shape:
        return np.inf
    if now.dtype.kind not in "fiub" or then.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(now.astype(str), then.astype(str)) else np.inf
    return float(np.max(np.abs(now - then) / np.maximum(np.abs(then), 1), initial=0.0))


def _inputs(model):
    over_cases = any(hasattr(part, "networks_") or hasattr(part, "note_training_range") for part in parts_of(model))
    if over_cases:
        trained = _trained(model)
        arrays = {} if "by_image" in trained else _lesions(trained)
        for place, of_image in enumerate(trained.get("by_image", {}).values()):
            arrays |= {f"{name}-{place}": array for name, array in _lesions(of_image).items()}
        return "cases", arrays
    rows = np.random.default_rng(0).standard_normal((_N_ROWS, model.n_features_in_))
    return "rows", {"canary-rows": rows}


def _trained(model):
    noted = noted_parts(model)
    return merged_range([part.training_range_ for part in noted]) if noted else _UNKNOWN_RANGE


def _lesions(trained):
    """Return arrays of lesions of filtered noise, with the mean spacing and intensities of the training range."""
    generator = np.random.default_rng(0)
    n_dimensions = trained["n_dimensions"][-1]
    shape = _SHAPE[-n_dimensions:]
    spacing_mm = np.exp(np.log(trained["spacing_mm"]).mean(axis=0))[-n_dimensions:]
    low, middle, high = np.asarray(trained["intensities"]).mean(axis=0)
    position = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
    arrays = {"canary-spacing": spacing_mm}
    for number in range(_N_CASES):
        roughness = gaussian_filter(generator.standard_normal(shape), 2)
        mask = np.sqrt((position**2).sum(axis=0)) < 0.7 + 0.05 * roughness / roughness.std()
        texture = gaussian_filter(generator.standard_normal(shape), 0.5 + number)
        texture *= (high - low) / 4 / texture.std()
        image = np.where(mask, middle, low) + np.clip(texture, low - middle, high - middle)
        fits_integers = high - low > 64 and max(abs(low), abs(high)) < 10_000
        image = np.round(image).astype(np.int16) if fits_integers else image.astype(np.float32)
        arrays[f"canary-image-{number}"] = image
        arrays[f"canary-mask-{number}"] = mask.astype(np.uint8)
    return arrays


def _predictions(model, kind, arrays):
    if kind == "rows":
        X = arrays["canary-rows"]
        names = getattr(model, "feature_names_in_", None)
        X = X if names is None else pd.DataFrame(X, columns=names)
    else:
        X = [_case(number, arrays, _trained(model).get("by_image")) for number in range(_N_CASES)]
        X = [case.replace(mask_label=1) for case in X]
        if any(hasattr(part, "lesion_extractors") for part in parts_of(model)):
            X = [Patient([case.replace(patient="both") for case in X]), Patient(X[:1])]
    predict = next(getattr(model, name) for name in ("predict_proba", "predict", "transform") if hasattr(model, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about synthetic cases
        return np.asarray(predict(X))


def _case(number, arrays, names):
    """Return the case of a number; of several images in one mask, which is the same for all, if these have names."""
    if names is None:
        image, spacing_mm, end = arrays[f"canary-image-{number}"], arrays["canary-spacing"].tolist(), ""
    else:
        image = {name: arrays[f"canary-image-{number}-{place}"] for place, name in enumerate(names)}
        spacing_mm = {name: arrays[f"canary-spacing-{place}"].tolist() for place, name in enumerate(names)}
        end = "-0"
    return Case(image, arrays[f"canary-mask-{number}{end}"], f"canary-{number}", spacing_mm)


def _as_npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _from_npy(content):
    return np.load(io.BytesIO(content), allow_pickle=False)
