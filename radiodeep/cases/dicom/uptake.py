"""In: the headers of a PET series. Out: the factors from its voxels to standardized uptake values by body weight (SUV).

SUV = activity concentration (Bq/ml) * body weight (g) / dose (Bq), the dose decayed to the time that the voxels were
corrected to (DICOM PS3.3 C.8.9.1; the vendor-neutral rules of the Quantitative Imaging Biomarkers Alliance).
"""

import math
import re
import warnings

import numpy as np

from radiodeep.exceptions import DicomSeriesError, RadiodeepWarning

_DAY = 86_400.0
_SHORT_LIVED = _DAY / 2  # half-lives of tracers that are imaged on the day of their injection
_MOST_HALF_LIVES = 8
_LEAST_DOSE = 2.5e4  # Bq per kg, of the lowest doses in studies; less is in another unit (kBq), or the weight (g) is
_WAY_OUT = "Correct the headers, or read the voxels in the unit of the file with pet_unit='stored'."
_CLOCK = 60  # seconds that two times of one moment may differ
_LATE = 1.5  # durations of a frame, to the reference time of one that is not the first
_OF_DOSE = ("PatientWeight", "RadionuclideTotalDose", "DecayCorrection")
_OF_SERIES = (
    *_OF_DOSE, "Units", "SUVType", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime", "SeriesDate", "SeriesTime", "PhilipsSUVFactor", "PhilipsActivityFactor",
    "GEScanDateTime",
)  # fmt: skip


def uptake_factors(name, frames):
    """Return the factors from rescaled voxels to SUV, shape (n_frames,). Raises DicomSeriesError.

    `frames` are those of a PET series, `name` is how messages call it. Units are BQML, GML (SUV already), or CNTS with
    the private factors of Philips. Issues a RadiodeepWarning for images without correction for attenuation or decay.
    """
    headers = [frame.header for frame in frames]
    _check_equal(name, headers)
    first = headers[0]
    _check_corrections(name, first)
    units = first.get("Units")
    _require(name, first, ("Units",))
    if units == "GML" and first.get("SUVType", "BW") == "BW":
        return np.ones(len(frames))
    if units == "CNTS" and first.get("PhilipsSUVFactor", 0) > 0:
        return np.full(len(frames), first["PhilipsSUVFactor"])
    if units == "CNTS" and first.get("PhilipsActivityFactor", 0) > 0:
        return first["PhilipsActivityFactor"] * _per_activity(name, headers)
    if units == "BQML":
        return _per_activity(name, headers)
    kind = f"{units} of the type {first['SUVType']}" if units == "GML" else units
    hint = ", without the factors that Philips stores in (7053,1000) or (7053,1009)" if units == "CNTS" else ""
    raise DicomSeriesError(f"{name} is in the unit {kind}{hint}. Expected BQML, or GML by body weight. {_WAY_OUT}")


def _check_equal(name, headers):
    for header in headers[1:]:
        for element in _OF_SERIES:
            if header.get(element) != headers[0].get(element):
                raise DicomSeriesError(
                    f"{name}: '{header['path'].name}' has another {element} than '{headers[0]['path'].name}'. "
                    f"{_WAY_OUT}"
                )


def _check_corrections(name, header):
    needed = {"ATTN": "attenuation"} | ({} if header.get("DecayCorrection") == "NONE" else {"DECY": "decay"})
    missing = [meaning for code, meaning in needed.items() if code not in header.get("CorrectedImage", ())]
    if missing:
        warnings.warn(
            f"{name} does not say that it is corrected for {' and '.join(missing)} (CorrectedImage). Its SUV are not "
            "comparable with those of corrected images.",
            RadiodeepWarning,
            stacklevel=2,
        )


def _require(name, header, elements):
    missing = [element for element in elements if not header.get(element)]
    if missing:
        raise DicomSeriesError(f"{name} cannot be converted to SUV: its header has no {', '.join(missing)}. {_WAY_OUT}")


def _per_activity(name, headers):
    """Return the factors from Bq/ml to g/ml, by the time that each frame is decay-corrected to."""
    first = headers[0]
    correction = first.get("DecayCorrection")
    injection = [each for each in _OF_SERIES if each.startswith("RadiopharmaceuticalStart") and each in first]
    needed = [*_OF_DOSE]
    if correction != "ADMIN":
        needed += ["RadionuclideHalfLife", *(injection or ["RadiopharmaceuticalStartTime"]), "AcquisitionTime"]
        needed += ["SeriesTime"] if correction != "NONE" else ["ActualFrameDuration"]
    for header in headers:
        _require(name, header, needed)
    if not 0 < first["PatientWeight"] * _LEAST_DOSE <= first["RadionuclideTotalDose"]:
        raise DicomSeriesError(
            f"{name}: RadionuclideTotalDose divided by PatientWeight is "
            f"{first['RadionuclideTotalDose'] / first['PatientWeight']:.3g}. Expected Bq and kg, at least "
            f"{_LEAST_DOSE:g} Bq/kg. {_WAY_OUT}"
        )
    _compare_injections(name, first)
    weight, dose = first["PatientWeight"] * 1000, first["RadionuclideTotalDose"]
    if correction == "ADMIN":
        return np.full(len(headers), weight / dose)
    if correction == "START":
        left = _fraction_left(name, first, _scan_start(name, headers))
        return np.full(len(headers), weight / (dose * left))
    if correction == "NONE":
        return np.array([weight / (dose * _mean_left(name, header)) for header in headers])
    raise DicomSeriesError(f"{name} has an unknown DecayCorrection. Expected START, ADMIN or NONE. {_WAY_OUT}")


def _compare_injections(name, header):
    """Warn of two times of injection, of which the one without a date is used."""
    time, moment = (header.get(f"RadiopharmaceuticalStart{kind}", "") for kind in ("Time", "DateTime"))
    if not time or len(moment) < 12:
        return
    later = _seconds(header, "RadiopharmaceuticalStartDateTime", 8) - _seconds(header, "RadiopharmaceuticalStartTime")
    if not any(abs((each + _DAY / 2) % _DAY - _DAY / 2) < _CLOCK for each in (later, later + _shift(header))):
        warnings.warn(
            f"{name}: RadiopharmaceuticalStartTime and RadiopharmaceuticalStartDateTime are {abs(later) / 60:.3g} "
            "minutes apart. The former is used, except for tracers of half-lives of 12 hours or more; check them.",
            RadiodeepWarning,
            stacklevel=2,
        )


def _scan_start(name, headers):
    """Return (date, time) of the start of the scan: of the series, unless that was made after the acquisition."""
    first = headers[0]
    series = _moment(first, "SeriesDate", "SeriesTime")
    moments = [_moment(header, "AcquisitionDate", "AcquisitionTime") for header in headers]
    earliest = min(moments)
    is_dated = bool(series[0] and earliest[0])
    if series <= earliest if is_dated else (earliest[1] - series[1]) % _DAY < _DAY / 2:
        return series
    if "GEScanDateTime" in first:
        return first["GEScanDateTime"][:8], _seconds(first, "GEScanDateTime", 8)
    header = headers[moments.index(earliest)]
    if header.get("FrameReferenceTime", 0) > _LATE * header.get("ActualFrameDuration", math.inf):
        warnings.warn(
            f"{name} begins {header['FrameReferenceTime'] / 60_000:.3g} minutes after the scan (FrameReferenceTime), "
            "whose start is not known: the series was made later. Its SUV count from its own beginning; check them.",
            RadiodeepWarning,
            stacklevel=2,
        )
    return earliest


def _moment(header, date, time):
    return header.get(date, ""), _seconds(header, time)


def _seconds(header, element, start=0):
    """Return the seconds since midnight of an element, HHMMSS.FFFFFF or HH:MM:SS."""
    text = header[element][start:].partition("+")[0].partition("-")[0].replace(":", "")
    try:
        hours, minutes, seconds = int(text[:2]), int(text[2:4] or 0), float(text[4:] or 0)
    except ValueError:
        hours = -1
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds <= 60):
        raise DicomSeriesError(f"'{header['path'].name}' has a {element} that is not a time. {_WAY_OUT}")
    return hours * 3600 + minutes * 60 + seconds


def _fraction_left(name, header, scan):
    """Return the fraction of the dose that is left at a moment (date, time).

    Short-lived tracers were injected at most a day before, so that times alone count, across midnight too: dates are
    often changed by de-identification, each in its own way.
    """
    half_life = header["RadionuclideHalfLife"]
    whole = header.get("RadiopharmaceuticalStartDateTime", "")
    if half_life < _SHORT_LIVED:
        start = header.get("RadiopharmaceuticalStartTime")
        injected = (
            _seconds(header, "RadiopharmaceuticalStartTime")
            if start
            else _seconds(header, "RadiopharmaceuticalStartDateTime", 8) + _shift(header)
        )
        elapsed = (scan[1] - injected) % _DAY
    elif len(whole) < 8 or not scan[0]:
        _require(name, {}, ["RadiopharmaceuticalStartDateTime", "SeriesDate"])
    else:
        days = np.datetime64(_iso(scan[0]), "D") - np.datetime64(_iso(whole), "D")
        elapsed = days.astype(int) * _DAY + scan[1] - _seconds(header, "RadiopharmaceuticalStartDateTime", 8)
        elapsed -= _shift(header)
    if not 0 <= elapsed <= _MOST_HALF_LIVES * half_life:
        raise DicomSeriesError(
            f"{name}: the scan begins {elapsed / 3600:.4g} hours after the injection, by its header. Expected 0 to "
            f"{_MOST_HALF_LIVES} half-lives of {half_life:g} s. {_WAY_OUT}"
        )
    return 2 ** (-elapsed / half_life)


def _shift(header):
    """Return the seconds from the time zone of the injection to that of the other times; 0 if one is not known."""
    texts = (header["RadiopharmaceuticalStartDateTime"], header.get("TimezoneOffsetFromUTC", ""))
    offsets = [re.search(r"([+-]\d\d)(\d\d)$", text) for text in texts]
    if not all(offsets):
        return 0
    injected, other = (int(offset[1]) * 3600 + int(offset[1][0] + offset[2]) * 60 for offset in offsets)
    return other - injected


def _iso(text):
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def _mean_left(name, header):
    """Return the mean fraction of the dose that is left during a frame, which starts at its AcquisitionTime."""
    scan = _moment(header, "AcquisitionDate", "AcquisitionTime")
    decay = math.log(2) / header["RadionuclideHalfLife"] * header["ActualFrameDuration"] / 1000
    return _fraction_left(name, header, scan) * -math.expm1(-decay) / decay
