"""In: the path of an image or mask. Out: which case it belongs to, and what it is called there."""

import re
from dataclasses import dataclass
from pathlib import Path

_FILE = re.compile(r"(?!\.)(.+?)(\.seg)?\.(nii|nii\.gz|nrrd|nhdr|mha|mhd|png|jpg|jpeg|tif|tiff|bmp)", re.IGNORECASE)
_IMAGE_FOLDERS = {
    *(
        "image",
        "images",
        "imagestr",
        "imagesva",
        "imagests",
        "img",
        "imgs",
        "scan",
        "scans",
        "imaging",
        "volume",
        "volumes",
    ),
    *("input", "inputs"),
}
MASK_FOLDERS = {
    *(
        "mask",
        "masks",
        "label",
        "labels",
        "labelstr",
        "labelsva",
        "labelsts",
        "seg",
        "segs",
        "segmentation",
        "segmentations",
    ),
    *("annotation", "annotations", "roi", "rois", "gt", "groundtruth"),
}
_MASK_WORDS = {
    *("mask", "masks", "seg", "segmentation", "segmentations", "label", "labels", "labelmap", "roi", "gt", "dseg"),
    *("annotation", "groundtruth", "delineation", "contour", "outline"),
}
_IMAGE_WORDS = {"image", "img", "scan", "imaging", "volume", "vol", "original", "orig"}
_MODALITIES = {
    *("ct", "cta", "cbct", "mr", "mri", "pet", "pt", "suv", "us", "cr", "dx", "mg", "adc", "dwi", "flair", "swi"),
    *("pd", "pdw", "t1", "t1w", "t1c", "t1ce", "t1gd", "t1n", "t2", "t2w", "t2f"),
}
_REGION = re.compile(r"(gtv|tumou?r|lesion|nodule)\w*", re.IGNORECASE)
_CHANNEL = re.compile(r"\d{4}")  # nnU-Net
SPLITS = ("Tr", "Va", "Ts")  # of nnU-Net and the Medical Segmentation Decathlon, whose cases may have the same names
_PARTS = re.compile(r"train(ing)?|test(ing)?|val(id(ation)?)?|(task|dataset)\d.*|tr|va|ts", re.IGNORECASE)
_VISIT = re.compile(
    r"(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d|baseline|(follow[-_ ]?up|fu|tp|timepoint|visit|ses|session|scan|frame|exam"
    r"|day|week|month|year|pre|post)[-_ ]?\d*",
    re.IGNORECASE,
)
_BRATS = re.compile(r"(BraTS-[A-Za-z]+-\d+)-\d+")  # from 2023 on; the last number is that of the visit
_BIDS = re.compile(r"(sub-[a-zA-Z0-9]+)(?:_(ses-[a-zA-Z0-9]+))?_(.+)")


@dataclass(frozen=True)
class NamedFile:
    """An image or mask, and what its name and folder say.

    Attributes
    ----------
    path : Path
    is_mask : bool
    folder : tuple of str
        Folders from the root, without those that separate images and masks, such as ``imagesTr``.
    words : tuple of str
        Of the case, in small letters: the name without what tells images of a case apart.
    text : str
        The name of the case as written, "" if only the folder names it.
    name : str
        Of the image or region, e.g. "T1"; "" if there is none.
    patient : str
        "" if the name does not say.
    """

    path: Path
    is_mask: bool
    folder: tuple[str, ...]
    words: tuple[str, ...]
    text: str
    name: str = ""
    patient: str = ""

    @property
    def key(self):
        return self.folder, self.words


def is_image_file(path):
    """Return whether the name of a file is that of an image or mask."""
    return bool(_FILE.fullmatch(path.name))


def named_stem(path):
    """Return the name of an image file without its ending."""
    return _FILE.fullmatch(path.name)[1]


def is_part(name):
    """Return whether the name of a folder is that of a part of a data set, such as "train", and not of a patient."""
    return bool(_PARTS.fullmatch(name))


def is_visit(name):
    """Return whether a name is that of a date or visit alone, such as "baseline"."""
    return bool(_VISIT.fullmatch(name))


def patient_named(text):
    """Return the patient of a case: its name without a visit or date at the end.

    >>> [patient_named(text) for text in ("P1_baseline", "patient001_frame12", "BraTS-GLI-00002-001", "lung_001")]
    ['P1', 'patient001', 'BraTS-GLI-00002', 'lung_001']
    """
    brats = _BRATS.fullmatch(text)
    if brats:
        return brats[1]
    for at in re.finditer(r"[_\-. ]", text):
        visit = text[at.end() :]
        if is_visit(visit) and (any(map(str.isdigit, text[: at.start()])) or not any(map(str.isdigit, visit))):
            return text[: at.start()]
    return text


def named_file(path, root):
    """Return the `NamedFile` of a path below a root folder."""
    folders = path.relative_to(root).parent.parts
    lower = {folder.casefold() for folder in folders}
    stem, is_slicer_mask, _ = _FILE.fullmatch(path.name).groups()
    in_masks, in_images = bool(lower & MASK_FOLDERS), bool(lower & _IMAGE_FOLDERS)
    bids = _BIDS.fullmatch(stem)
    if bids:
        return _of_bids(path, *bids.groups())
    folder = tuple(part for part in folders if part.casefold() not in _IMAGE_FOLDERS | MASK_FOLDERS)
    folder = (*(split for split in SPLITS if {f"images{split}", f"labels{split}"} & {*folders}), *folder)
    words = re.split(r"([_\-. ]+)", stem)  # every second one is a separator
    last, first = words[-1].casefold(), words[0].casefold()
    if in_images and not in_masks and len(words) > 1 and _CHANNEL.fullmatch(last):
        return _file(path, False, folder, words[:-2], last)
    if in_masks or is_slicer_mask:
        shown = words[:-2] if last in _MASK_WORDS else words[2:] if first in _MASK_WORDS and len(words) > 1 else words
        return _file(path, True, folder, shown)
    if last in _MASK_WORDS:
        return _file(path, True, folder, words[:-2])
    if last in _MODALITIES or last in _IMAGE_WORDS:
        return _file(path, False, folder, words[:-2], last if last in _MODALITIES else "")
    if first in _MASK_WORDS | _IMAGE_WORDS:
        return _file(path, first in _MASK_WORDS, folder, words[2:])
    is_region = _REGION.fullmatch(words[-1]) or (_REGION.fullmatch(words[0]) and len(words) <= 3)
    return _file(path, bool(is_region) and not in_images, folder, words)


def _file(path, is_mask, folder, words, name=""):
    return NamedFile(path, is_mask, folder, tuple(word.casefold() for word in words[::2]), "".join(words), name.upper())


def _of_bids(path, subject, session, rest):
    """Return a file of BIDS: its case is the session, its name the suffix or the entity label (BIDS, derivatives)."""
    *entities, suffix = rest.split("_")
    is_mask = suffix.casefold() in _MASK_WORDS
    values = dict(entity.split("-", 1) for entity in entities if "-" in entity)
    case = "_".join(part for part in (subject, session) if part)
    name = values.get("label", values.get("desc", "")) if is_mask else suffix.upper()
    return NamedFile(path, is_mask, (), (case.casefold(),), case, name, subject)
