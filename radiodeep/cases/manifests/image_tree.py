"""In: a tree of images and masks in files. Out: rows of a manifest, and the files that are left out.

A mask goes with the images of its case: by name and folder as nnU-Net, BIDS, BraTS, TotalSegmentator and 3D Slicer
write them, or by one folder for each case. Voxels are not read.
"""

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from radiodeep.cases.dicom.outlines import is_image_name, names_matching
from radiodeep.cases.label_names import label_names, organ_files
from radiodeep.cases.manifests.file_names import (
    MASK_FOLDERS,
    SPLITS,
    is_part,
    is_visit,
    named_file,
    named_stem,
    patient_named,
)
from radiodeep.cases.manifests.folder_table import FolderTable, number_cases, regions_asked
from radiodeep.exceptions import InputError
from radiodeep.progress import with_progress

_NO_MASK = "no mask of its name was found: name it like the image plus _mask, or like the image in a folder 'masks'"
_NO_IMAGE = "no image of its name was found: name both alike, e.g. P1.nii and P1_mask.nii"


@dataclass(eq=False)
class _FileCase:
    """The files of a case: images and masks by name, and the regions of its mask."""

    text: str
    patient: str
    images: list = field(default_factory=list)
    masks: list = field(default_factory=list)
    organs: Path | None = None
    regions: tuple = ()
    has_own_masks: bool = False  # a mask for each image, called like it

    @property
    def paths(self):
        return [file.path for file in (*self.images, *self.masks)]


def table_of_tree(folder, paths, roi=None, names=None):
    """Return the `FolderTable` of the image files in a folder, see `folder_manifest`.

    Raises the errors of `regions_asked`.
    """
    table = FolderTable()
    cases = _cases_of(table, folder, paths)
    usable = []
    for case in with_progress(cases, "Reading names of regions", len(cases), "cases"):
        if names:
            _choose_images(table, case, names)
        _give_own_masks(table, case)
        reason = _reason_against(case)
        if reason:
            table.leave_out(case.paths, reason, case.patient)
        else:
            usable.append(case)
    named = [case for case in usable if case.regions or roi]
    asked = regions_asked([(case.patient, case.regions) for case in named], roi)
    positions = dict(zip(map(id, named), asked, strict=True))
    for case in usable:
        rows = _rows_of(case, positions.get(id(case), ([], None))[0], bool(roi))
        if case.regions and not rows:
            table.leave_out(case.paths, f"its regions are others: {', '.join(case.regions[:30])}", case.patient)
        elif roi and not rows:
            table.leave_out(case.paths, "the mask has no names of regions", case.patient)
        table.rows += rows
    _name_images(table.rows)
    number_cases(table.rows)
    return table


def _cases_of(table, folder, paths):
    """Return the cases of files; masks without an image are left out."""
    files = [named_file(path, folder) for path in paths]
    organs = _organ_folders(files)
    files = [file for file in files if file.path.parent not in organs.values()]
    cases = {}
    of_masks = {file.key for file in files if file.is_mask}
    for image in (_as_case(file, of_masks) for file in files if not file.is_mask):
        case = cases.setdefault(image.key, _FileCase(image.text, image.patient))
        case.images.append(replace(image, name=_channel_name(image)))
        case.organs = organs.get(image.path.parent, case.organs)
    masks = [file for file in files if file.is_mask]
    for matches in (_takes_mask, _takes_images, _takes_only_image):
        masks = [mask for mask in masks if not matches(cases, mask)]
    for mask in masks:
        table.leave_out([mask.path], _NO_IMAGE)
    return _with_ids(cases)


def _organ_folders(files):
    """Return {folder of an image: folder of the masks of its organs}; of one case, with no mask of the image's name."""
    images, masks = defaultdict(set), defaultdict(set)
    for file in files:
        (masks if file.is_mask else images)[file.path.parent].add(file.key)
    return {
        folder.parent: folder
        for folder, keys in masks.items()
        if folder.name.casefold() in MASK_FOLDERS
        and len(keys) > 1
        and len(images.get(folder.parent, ())) == 1
        and not keys & images[folder.parent]
    }


def _as_case(image, of_masks):
    """Return an image with its last number as a part of its name, not a channel, if a mask has this name."""
    words = (*image.words, image.name)
    if re.fullmatch(r"\d{4}", image.name) and image.key not in of_masks and (image.folder, words) in of_masks:
        return replace(image, words=words, text=named_stem(image.path), name="")
    return image


def _channel_name(image):
    """Return the name of an image; for a number of nnU-Net the one that dataset.json gives to the channel."""
    if not re.fullmatch(r"\d{4}", image.name):
        return image.name
    try:
        content = json.loads((image.path.parent.parent / "dataset.json").read_text())
        channels = content.get("channel_names") or content["modality"]
        return str(channels[str(int(image.name))])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return image.name


def _takes_mask(cases, mask):
    """Give a mask to the case whose words its own begin with; the others are the name of the region."""
    for length in range(len(mask.words), -1, -1):
        case = cases.get((mask.folder, mask.words[:length]))
        if case is not None:
            rest = _rest(mask, length) if length < len(mask.words) else ""
            if length and rest.isdigit():  # of another case: 'P1.nii' and 'P1_2_mask.nii'
                return False
            case.masks.append(replace(mask, name=mask.name or rest))
            return True
    return False


def _rest(file, length):
    """Return the name of a file behind its first words."""
    return "".join(re.split(r"([_\-. ]+)", file.text)[2 * length :])


def _takes_images(cases, mask):
    """Make a case of a mask and the images whose words begin with its own, if there are any."""
    keys = [
        key
        for key, case in cases.items()
        if key[0] == mask.folder and key[1][: len(mask.words)] == mask.words and not (case.masks or case.organs)
    ]
    if mask.words:
        is_of_others = any("".join(words[len(mask.words) :]).isdigit() for _, words in keys)
    else:  # 'mask.nii.gz' beside the files of many cases
        is_only_folder = len({folder for folder, _ in cases}) == 1 and mask.folder
        by_number = is_only_folder and any(_differ_by_number(keys[0][1], words) for _, words in keys[1:])
        is_of_others = by_number or (not mask.folder and len(keys) > 1)
    if not keys or is_of_others:
        return False
    images = [image for key in keys for image in cases.pop(key).images]
    images = [replace(image, name=f"{_rest(image, len(mask.words))}{image.name}") for image in images]
    cases[mask.key] = _FileCase(mask.text, mask.patient, images, [mask])
    return True


def _takes_only_image(cases, mask):
    """Give a mask of any name to the only case of its folder; return whether there is one.

    A name that differs from that of the image in a number alone is that of another case.
    """
    keys = [key for key in cases if key[0] == mask.folder and mask.folder and mask.folder[0] not in SPLITS]
    is_taken = len(keys) == 1 and not _differ_by_number(keys[0][1], mask.words)
    if is_taken:
        case = cases[keys[0]]
        case.text = ""
        case.masks.append(replace(mask, name=mask.name or mask.text))
    return is_taken


def _differ_by_number(words, others):
    """Return whether the first words that differ are the same but for their numbers, as in 'P1' and 'P2'."""
    pairs = zip_longest(words, others, fillvalue="")
    word, other = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
    return word != other and re.sub(r"\d+", "", word) == re.sub(r"\d+", "", other)


def _with_ids(cases):
    """Return the cases, named after their files or else their folder; names that several have get the folder above."""
    places = {key: [*key[0], *([case.text] if case.text else [])] or ["case"] for key, case in cases.items()}
    leaves = Counter(place[-1] for place in places.values())
    joined = {key for key, place in places.items() if place[1:] and (leaves[place[-1]] > 1 or is_visit(place[-1]))}
    # P1/baseline and P1/follow-up are of P1, but original/P1 and resampled/P1 are as well.
    folders = {key for key in joined if not (cases[key].text or is_visit(places[key][-1]))}
    n_names, n_above = (len({places[key][at] for key in folders}) for at in (-1, -2))
    of_leaf = folders if n_names > n_above else set()
    patients = {key[0] if cases[key].text else key[0][:-1] for key in joined - of_leaf if not is_part(places[key][-2])}
    for key, case in sorted(cases.items()):
        place = places[key]
        is_of_folder = key not in of_leaf and bool(place[1:]) and tuple(place[:-1]) in patients
        is_of_leaf = key in of_leaf and not is_part(place[-2])
        case.text = "_".join(place[-2:]) if key in joined or is_of_folder else place[-1]
        named = place[-2] if is_of_folder else place[-1] if is_of_leaf else case.text
        case.patient = case.patient or (named if is_of_folder else patient_named(named))
    return [case for _, case in sorted(cases.items())]


def _choose_images(table, case, names):
    """Give the images their chosen names; others are left out."""
    called = [(image, names_matching(image.path.name, names)) for image in case.images]
    case.images = [replace(image, name=found[0]) for image, found in called if len(found) == 1]
    for image, found in called:
        if len(found) != 1:
            problem = f"is {' and '.join(found)}" if found else f"is none of {', '.join(names)}"
            table.leave_out([image.path], f"its name {problem}", case.patient)


def _give_own_masks(table, case):
    """Keep the images with a mask of their own if each of several masks is called like one, e.g. 'P1_ct_mask'."""
    own = {mask.name.casefold() for mask in case.masks}
    if not len(case.masks) == len(own & {image.name.casefold() for image in case.images}) > 1:
        return
    case.has_own_masks = True
    for image in case.images:
        if image.name.casefold() not in own:
            table.leave_out([image.path], "others of its case have a mask of their own, it has none", case.patient)
    case.images = [image for image in case.images if image.name.casefold() in own]


def _reason_against(case):
    """Return why a case cannot be used, or None; its regions get their names."""
    if not case.images:
        return "no image was chosen for it"
    if not (case.masks or case.organs):
        return _NO_MASK
    repeated = [name for name, count in Counter(image.name for image in case.images).items() if count > 1]
    if repeated:
        return (
            f"{len(case.images)} images, of which several could be the {repeated[0] or 'image'}: {_listed(case.images)}"
            ". Choose by parts of their names (series, on the command line --image), or move the others away"
        )
    if case.has_own_masks:
        return None
    try:
        case.regions = _regions_of(case)
    except InputError as error:
        return str(error)
    if len(case.masks) > 1 and len(set(case.regions)) < len(case.masks):
        return f"several masks: {_listed(case.masks)}. Move away those that should not count"
    return None


def _regions_of(case):
    if case.organs:
        return tuple(organ_files(case.organs))
    if len(case.masks) == 1:
        (mask,) = case.masks
        return tuple(label_names(mask.path)) or tuple(filter(None, [mask.name]))
    return tuple(mask.name for mask in case.masks if mask.name)


def _listed(files):
    return ", ".join(f"'{file.path.name}'" for file in files)


def _rows_of(case, positions, is_asked):
    """Return the rows of a case: one of each region asked for, or one if its mask has no names."""
    row = {"id": case.text, "patient": case.patient, "images": {image.name: image.path for image in case.images}}
    if case.has_own_masks:
        return [row | {"masks": {mask.name.casefold(): mask.path for mask in case.masks}}]
    if not case.regions:
        return [] if is_asked else [row | {"mask": case.masks[0].path}]
    if case.organs or len(case.masks) < len(case.regions) or case.masks[0].name != case.regions[0]:
        mask = case.organs or case.masks[0].path
        return [row | {"mask": mask, "roi_name": case.regions[position]} for position in positions]
    return [row | {"mask": case.masks[position].path} for position in positions]


def _name_images(rows):
    """Give the images their columns: `image` if every case has one."""
    is_one = all(len(row["images"]) == 1 for row in rows)
    has_own = any("masks" in row for row in rows)
    for row in rows:
        masks, mask = row.pop("masks", {}), row.pop("mask", None)
        for name, path in row.pop("images").items():
            plain = re.sub(r"[^A-Za-z0-9]", "", name) or "main"
            plain = plain if is_image_name(plain) else f"x{plain}"
            row["image" if is_one else f"image_{plain}"] = path
            row[f"mask_{plain}" if has_own else "mask"] = masks.get(name.casefold(), mask)
