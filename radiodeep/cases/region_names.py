"""In: the names of regions and what is asked for. Out: the positions of the regions, or an error that lists the names.

The same rules hold for the regions of RTSTRUCT, SEG, label tables and folders of masks.
"""

from fnmatch import fnmatchcase
from unicodedata import normalize

from radiodeep.checks import did_you_mean
from radiodeep.exceptions import AmbiguousMaskError, LabelNotFoundError

_MOST_LISTED = 30


def choose_regions(names, wanted=None):
    """Return the positions of regions in a list of names, whose union is meant; each position once, in ascending order.

    `wanted` is a name or a list of names. A name matches exactly, else whatever its capital letters, else with ``*``
    and ``?`` for any letters; each must match one region. It may be None for a list of one name.

    Raises LabelNotFoundError, which lists the names, or AmbiguousMaskError.

    >>> choose_regions(["GTV-1", "gtv-1", "Heart"], ["gtv-1", "HEART"])
    [1, 2]
    >>> choose_regions(["GTV-1", "Heart"], "GTV1")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.LabelNotFoundError: no region matches 'GTV1'. The regions are 'GTV-1', 'Heart'. Did you ...
    """
    if wanted is None:
        return [_the_only(names)]
    chosen = [_position(names, name) for name in ([wanted] if isinstance(wanted, str) else wanted)]
    if None in chosen:
        raise _not_found(names, [wanted] if isinstance(wanted, str) else [wanted[chosen.index(None)]])
    return sorted(set(chosen))


def distinct_names(names, numbers):
    """Return a tuple of the names of regions; those that are empty or not the only one have their number behind.

    >>> distinct_names(["Lesion", "", "Lesion ", "Liver"], [1, 2, 3, 4])
    ('Lesion (1)', '(2)', 'Lesion (3)', 'Liver')
    """
    names = [name.strip() for name in names]
    return tuple(
        name if name and names.count(name) == 1 else f"{name} ({number})".strip()
        for name, number in zip(names, numbers, strict=True)
    )


def choose_region(names, alternatives=None):
    """Return the position of one region; of a list of alternatives the first that is there counts.

    Matching and errors are those of `choose_regions`.
    """
    if alternatives is None:
        return _the_only(names)
    alternatives = [alternatives] if isinstance(alternatives, str) else list(alternatives)
    positions = (_position(names, name) for name in alternatives)
    position = next((position for position in positions if position is not None), None)
    if position is None:
        raise _not_found(names, alternatives)
    return position


def listed_names(names):
    """Return names in quotes, the first thirty of them, or "none"."""
    shown = ", ".join(f"'{name}'" for name in names[:_MOST_LISTED]) or "none"
    return shown + (f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else "")


def _the_only(names):
    if len(names) == 1:
        return 0
    if names:
        raise AmbiguousMaskError(f"several regions were outlined: {listed_names(names)}. Choose one by its name.")
    raise LabelNotFoundError("there are no regions to choose from. Check that the file is the right one.")


def _position(names, name):
    """Return the position of the only region that matches a name, None if none does."""
    for matches in (
        str.__eq__,
        lambda known, asked: _folded(known) == _folded(asked),
        lambda known, asked: fnmatchcase(_folded(known), _folded(asked).replace("[", "[[]")),  # no sets of letters
    ):
        positions = [position for position, known in enumerate(names) if matches(known, name)]
        if len(positions) == 1:
            return positions[0]
        if positions:
            raise AmbiguousMaskError(
                f"several regions match {name!r}: {listed_names([names[position] for position in positions])}. Choose "
                "one by its name, or several that form one region by all their names."
            )
    return None


def _folded(name):
    """Return a name without capital letters, and with accents as other systems write them."""
    return normalize("NFC", name.casefold())


def _not_found(names, asked):
    hint = did_you_mean(asked[0], names, n=1) if len(asked) == 1 else did_you_mean(asked, names)
    listed = " or ".join(map(repr, asked))
    return LabelNotFoundError(f"no region matches {listed}. The regions are {listed_names(names)}.{hint}")
