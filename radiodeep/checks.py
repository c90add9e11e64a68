"""A setting and what it may be -> an error, in one wording, if it is out of range."""

import difflib
from collections.abc import Collection, Hashable
from numbers import Integral, Real

import numpy as np

from radiodeep.exceptions import InputError

_OF_OWNER = object()


def invalid(owner, parameter, allowed, value, way_out="", error=InputError):
    """Return the error for a setting out of range, to be raised by the caller.

    `owner` is an estimator, a class, a function or a name; `allowed` says what the parameter must be, e.g. "a float >
    0", and `way_out` what to do: a sentence, or the result of `did_you_mean`.

    >>> print(invalid("RadiomicsExtractor", "bin_width", "a float > 0", 0))
    The 'bin_width' parameter of RadiomicsExtractor must be a float > 0. Got 0 instead.
    """
    name = owner if isinstance(owner, str) else getattr(owner, "__name__", type(owner).__name__)
    sentence = f"The '{parameter}' parameter of {name} must be {allowed}. Got {value!r:.500} instead."
    return error(f"{sentence} {way_out.strip()}".rstrip())


def require(fulfilled, owner, parameter, allowed, value=_OF_OWNER, way_out="", error=InputError):
    """Raise the error of `invalid` unless a condition is fulfilled; the value is the owner's attribute by default."""
    if not fulfilled:
        value = getattr(owner, parameter) if value is _OF_OWNER else value
        raise invalid(owner, parameter, allowed, value, way_out, error)


def require_option(value, options, owner, parameter, error=InputError):
    """Raise an error that lists the options, with the nearest one, unless a value is one of them."""
    if not is_option(value, options):
        raise invalid(owner, parameter, in_words(options), value, did_you_mean(value, options), error)


def require_n_jobs(n_jobs, owner, error=InputError):
    """Raise an error unless a number of processes is None or an int other than 0."""
    is_allowed = n_jobs is None or (is_count(n_jobs, -np.inf) and n_jobs != 0)
    require(is_allowed, owner, "n_jobs", "None or an int other than 0", n_jobs, error=error)


def require_probability(value, owner, parameter, error=InputError):
    """Raise an error unless a value is a number > 0 and < 1, as a confidence level must be."""
    require(is_fraction(value) and bool(value > 0), owner, parameter, "a float between 0 and 1", value, error=error)


def in_words(options):
    """Return "one of a, b", or "None or one of a, b" if None is among the options."""
    names = ", ".join(str(option) for option in options if option is not None)
    return f"None or one of {names}" if None in tuple(options) else f"one of {names}"


def did_you_mean(value, options, n=1):
    """Return " Did you mean 'x'?" for a misspelt option, or for each misspelt one of a collection; else "".

    Upper and lower case do not matter; at most `n` options are named for each value.
    """
    by_lower_case = {option.casefold(): option for option in options if isinstance(option, str)}
    if not isinstance(value, Collection):
        return ""
    misspelt = [value] if isinstance(value, str) else [name for name in value if name not in by_lower_case.values()]
    near = [difflib.get_close_matches(str(name).casefold(), by_lower_case, n) for name in misspelt]
    names = [repr(by_lower_case[name]) for names in near for name in names]
    return f" Did you mean {', '.join(names)}?" if names else ""


def is_option(value, options):
    """Return whether a value is one of the options; arrays and lists never are."""
    return isinstance(value, Hashable) and value in tuple(options)


def is_flag(value):
    """Return whether a value is True or False, of Python or numpy."""
    return isinstance(value, bool | np.bool_)


def is_count(value, least=0, most=None):
    """Return whether a value is an int, and not a bool, of at least `least` and at most `most`."""
    is_int = isinstance(value, Integral) and not isinstance(value, bool)
    return is_int and value >= least and (most is None or value <= most)


def is_number(value):
    """Return whether a value is a real number (infinite perhaps, but not NaN), and not a bool."""
    return isinstance(value, Real) and not is_flag(value) and bool(value == value)


def is_finite(value):
    """Return whether a value is a finite real number, and not a bool."""
    return is_number(value) and bool(abs(value) < np.inf)


def is_positive(value):
    """Return whether a value is a finite number > 0."""
    return is_finite(value) and bool(value > 0)


def is_non_negative(value):
    """Return whether a value is a finite number >= 0."""
    return is_finite(value) and bool(value >= 0)


def is_fraction(value):
    """Return whether a value is a number >= 0 and < 1."""
    return is_number(value) and bool(0 <= value < 1)


def is_sequence(value):
    """Return whether a value is a list, tuple or array of at least one entry."""
    is_listed = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return is_listed and len(value) > 0
