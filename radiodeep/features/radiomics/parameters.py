"""Rules of the parameters of `RadiomicsExtractor`: what each may be, and what pyradiomics calls it.

`RadiomicsSettings` has a field for each parameter; the functions here make these fields.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from radiodeep.checks import (
    did_you_mean,
    in_words,
    invalid,
    is_count,
    is_finite,
    is_flag,
    is_non_negative,
    is_option,
    is_positive,
    is_sequence,
)
from radiodeep.handcrafted.conventions import IBSI
from radiodeep.imaging.resample import INTERPOLATORS

UNKNOWN = object()


def as_tuple(value):
    """Return a sequence as a tuple, anything else as it is."""
    return tuple(value) if is_sequence(value) else value


def _as_plain(value):
    return np.asarray(value).tolist()


@dataclass(frozen=True)
class Setting:
    """The rules of one parameter.

    `allows` tells whether a value is allowed, `allowed` says the same in words for errors, and a misspelt value is
    compared with the `options`. If `of_texture`, an image type may have its own value. `key` is the name of the setting
    in pyradiomics, and `read` and `write` convert from and to its value there; for a value of the wrong kind `read`
    returns one that `allows` refuses, or raises a ValueError that says what the value must be. A setting without a key
    has the fixed `pyradiomics_value` there. Extractors that were saved before the parameter existed have the
    `value_before`. Under the IBSI's convention a parameter that the standard does not have keeps the `ibsi_value`, and
    an error names what there is `instead`. One that is `only_ibsi` must be None under other conventions, and is None in
    extractors that were saved before.
    """

    allows: Callable
    allowed: str
    options: tuple = ()
    of_texture: bool = False
    key: str | None = None
    read: Callable = as_tuple
    write: Callable = _as_plain
    pyradiomics_value: object = UNKNOWN
    value_before: object = UNKNOWN
    ibsi_value: object = UNKNOWN
    instead: str = ""
    only_ibsi: bool = False

    def applies_to(self, convention):
        """Return whether a convention has this parameter."""
        return self.ibsi_value is UNKNOWN if convention == IBSI.name else not self.only_ibsi

    def check(self, owner, name, value):
        """Raise an InputError unless a value of the owner's parameter of this name is allowed."""
        if not self.allows(value):
            raise invalid(owner, name, self.allowed, value, did_you_mean(value, self.options))


def parameter(allows, allowed, *, optional=False, **more):
    """Return the field of a parameter; `optional` ones may be None."""
    if optional:
        allows, allowed = partial(is_none_or, allows), f"None or {allowed}"
    if more.get("only_ibsi"):
        more["value_before"] = None
    return field(metadata={"setting": Setting(allows, allowed, **more)})


def option(options, **more):
    """Return the field of a parameter that is one of some options."""
    return parameter(partial(is_option, options=options), in_words(options), options=tuple(options), **more)


def count(least, most=None, **more):
    """Return the field of a parameter that is an integer."""
    allowed = f"an int >= {least}" if most is None else f"an int from {least} to {most}"
    return parameter(partial(is_count, least=least, most=most), allowed, **more)


flag = partial(parameter, is_flag, "True or False")
positive = partial(parameter, is_positive, "a float > 0")


def is_none_or(allows, value):
    return value is None or allows(value)


def are_distances(value):
    return is_sequence(value) and all(is_count(step, 1, 20) for step in value)


def is_spacing(value):
    steps = value if is_sequence(value) else [value]
    return len(steps) in (1, 3) and all(map(is_non_negative, steps))


def are_bounds(value):
    return is_sequence(value) and len(value) <= 2 and all(map(is_finite, value))


def are_options(options, value):
    """Return whether a value is one of some options, or a sequence of them without repeats."""
    names = value if is_sequence(value) else [value]
    return len(names) > 0 and all(is_option(name, options) for name in names) and len(set(names)) == len(names)


def as_float(value):
    """Return a number, or the numbers of a sequence, as float; anything else as it is."""
    if is_sequence(value):
        return tuple(map(as_float, value))
    return float(value) if is_finite(value) else value


def from_xyz(value):
    """Return a spacing (x, y), or (x, y, z), as (z, y, x); 0 leaves an axis as it is."""
    if not (is_sequence(value) and len(value) in (2, 3) and all(map(is_non_negative, value))):
        raise ValueError("a list of two or three numbers >= 0 (x, y, z)")
    return (0.0, *as_float(value[::-1]))[-3:]


def to_xyz(value):
    return np.broadcast_to(np.asarray(value, dtype=float), 3)[::-1].tolist()


def from_sitk(value):
    """Return the interpolator that a name of SimpleITK, or its number there, stands for."""
    by_value = {sitk_name: name for name, sitk_name in INTERPOLATORS.items()}
    if is_count(value):
        import SimpleITK as sitk  # late: it takes 100 MB, and numbers are rare

        by_value = {getattr(sitk, sitk_name): name for sitk_name, name in by_value.items()}
    if not is_option(value, by_value):
        raise ValueError(in_words(INTERPOLATORS.values()))
    return by_value[value]
