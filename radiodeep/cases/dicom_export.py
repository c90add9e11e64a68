"""In: a folder of DICOM files as a PACS exports them. Out: rows of a manifest, and the series that are left out.

Voxels are not read. Nothing of a header that tells of a person, a place or a date comes out, except PatientIDs on
request.
"""

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom import find_series, grid_of
from radiodeep.cases.dicom_choice import WITHOUT_IMAGE
from radiodeep.cases.dicom_headers import read_header
from radiodeep.cases.folder_table import FolderTable, number_cases, regions_asked
from radiodeep.cases.masks import OUTLINE_READERS
from radiodeep.cases.outlines import images_by_name, names_matching, outlined_image
from radiodeep.exceptions import InputError
from radiodeep.progress import with_progress

_SAME_PLACE = 0.05  # of a voxel
_NOT_ASKED = "its description is none of those asked for"


@dataclass(frozen=True, eq=False)
class _Outline:
    """A region that a file outlines, and the name or pattern that it matches."""

    kind: str
    path: Path
    region: str
    pattern: str


class _Export:
    """The series of a folder: whose they are, and where the images lie."""

    def __init__(self, folder, keep_patient_ids):
        unreadable = {}
        self.series = list(find_series(folder, unreadable).values())
        self.images = {each.uid: each for each in self.series if each.modality not in WITHOUT_IMAGE}
        files = {path for each in self.series for path in each.paths}
        self.table = FolderTable(dicom_files=files | set(unreadable))
        for path, error in unreadable.items():
            self.table.leave_out([path], str(error))
        self._studies = {
            each.uid: str(read_header(each.paths[0], ["StudyInstanceUID"])["StudyInstanceUID"]) for each in self.series
        }
        self._patients = self._named_patients(keep_patient_ids)
        self._n_images_in = Counter(
            folder
            for image in self.images.values()
            for folder in {above for path in image.paths for above in path.parents}
        )

    def _named_patients(self, keep_patient_ids):
        """Return the names of patients by PatientID, or by study if that is blank."""
        keys = sorted({self._key(series) for series in self.series})
        width = max(3, len(str(len(keys))))
        names = {}
        for number, (patient_id, study) in enumerate(keys, 1):
            kept = patient_id if keep_patient_ids else ""
            name = names[patient_id, study] = kept or f"patient-{number:0{width}d}"
            self.table.patient_ids[name] = patient_id
        return names

    def _key(self, series):
        return (series.patient, "" if series.patient else self._studies[series.uid])

    def patient_of(self, series):
        return self._patients[self._key(series)]

    def study_of(self, series):
        return self.patient_of(series), self._studies[series.uid]

    def place_of(self, image):
        """Return the path of an image in a manifest: its folder, and its UID if other images lie there or below."""
        home = Path(os.path.commonpath([path.parent for path in image.paths]))
        return home if self._n_images_in[home] == 1 else home / image.uid

    def leave_out(self, series, reason, paths=None):
        self.table.leave_out(paths or series.paths, reason, self.patient_of(series), series.name)


def table_of_export(folder, roi=None, names=None, keep_patient_ids=False):
    """Return the `FolderTable` of a folder with DICOM series.

    `roi` is None or a list of names and `names` a dict of images, see `folder_manifest`. Raises the errors of
    `find_series` and `regions_asked`.
    """
    export = _Export(folder, keep_patient_ids)
    outlines, reasons = _outlines_of(export, roi)
    studies = defaultdict(list)
    for image in export.images.values():
        studies[export.study_of(image)].append(image)
    for (patient, _), images in sorted(studies.items()):
        outlined = {image.uid: outlines[image.uid] for image in images if image.uid in outlines}
        if names and outlined:
            _add_named(outlined, images, names, reasons)
        rows = _rows_of(export, [image for image in images if image.uid in outlined], outlined, names, reasons)
        export.table.rows += [{"id": patient, "patient": patient, **row} for row in rows]
    used = {uid for row in export.table.rows for uid in row.pop("uids")}
    for uid, image in export.images.items():
        if uid not in used:
            export.leave_out(image, reasons.get(uid, "no RTSTRUCT or SEG file refers to it"))
    for series in export.series:
        if series.modality in WITHOUT_IMAGE and series.modality not in OUTLINE_READERS:
            export.leave_out(series, f"{series.modality} is neither an image nor an outline")
    number_cases(export.table.rows)
    return export.table


def _outlines_of(export, roi):
    """Return {UID of an image: {region: outline}}, and {UID: why the outlines of an image cannot be used}."""
    sources = _read_outlines(export)
    asked = regions_asked([(export.patient_of(series), source.region_names) for series, _, source, _ in sources], roi)
    found, reasons = defaultdict(lambda: defaultdict(list)), {}
    for (series, path, source, uid), (positions, pattern) in zip(sources, asked, strict=True):
        if not positions:
            listed = ", ".join(f"'{name}'" for name in source.region_names) or "none"
            reasons[uid] = f"'{path.name}' outlines other regions on it: {listed}"
            export.leave_out(series, f"it has no region that was asked for, but {listed}", [path])
        for position in positions:
            region = source.region_names[position]
            found[uid][region.casefold()].append(_Outline(series.modality, path, region, pattern))
    outlines = {}
    for uid, regions in found.items():
        kinds = {outline.kind for outlines in regions.values() for outline in outlines}
        kind = next(kind for kind in OUTLINE_READERS if kind in kinds)  # SEG where no RTSTRUCT has a region
        for region, candidates in regions.items():
            candidates = [outline for outline in candidates if outline.kind == kind]
            if len(candidates) > 1:
                reasons[uid] = _repeated(candidates)
            elif candidates:
                outlines.setdefault(uid, {})[region] = candidates[0]
    return outlines, reasons


def _repeated(outlines):
    """Say that a region is outlined more than once."""
    region, paths = outlines[0].region, sorted({outline.path for outline in outlines})
    if len(paths) == 1:
        return f"'{paths[0].name}' has {len(outlines)} regions called '{region}'"
    files = ", ".join(f"'{path.name}'" for path in paths)
    return f"{len(paths)} files outline '{region}' on it: {files}. Move those away that should not count"


def _read_outlines(export):
    """Return (series, path, `StructureSet` or `Segmentation`, UID of the image) of files that outline an image."""
    files = [(series, path) for series in export.series if series.modality in OUTLINE_READERS for path in series.paths]
    sources = []
    for series, path in with_progress(files, "Reading outlines", len(files), "files"):
        try:
            source = OUTLINE_READERS[series.modality](path)
        except InputError as error:
            export.leave_out(series, str(error), [path])
            continue
        images = {uid: image for uid, image in export.images.items() if image.patient == series.patient}
        uid = outlined_image(source, images)
        if uid is None:
            export.leave_out(series, "it outlines no image in the folder", [path])
        else:
            sources.append((series, path, source, uid))
    return sources


def _add_named(outlined, images, names, reasons):
    """Add the chosen images of a study without an outline: they take that of an image with the same voxels."""
    sources = [image for image in images if image.uid in outlined]
    for image in images:
        frame = image.frame_of_reference
        related = [source for source in sources if frame and source.frame_of_reference == frame]
        if not names_matching(image.description, names):
            reasons.setdefault(image.uid, _NOT_ASKED)
        if image.uid in outlined or not related or image.uid in reasons:
            continue
        try:
            same = [source for source in related if _is_same_grid(grid_of(source), grid_of(image))]
        except InputError as error:
            reasons[image.uid] = str(error)
            continue
        if len(same) == 1:
            outlined[image.uid] = outlined[same[0].uid]
        else:
            problem = "several outlined series have" if same else "the outlined series has not"
            reasons[image.uid] = f"it has no outline of its own, and {problem} its size, voxels and place"


def _is_same_grid(grid, other):
    corners = np.array([(0, 0, 0), np.subtract(grid.shape, 1)[::-1]])
    steps = corners * other.spacing_mm[::-1]
    places = grid.indices_of(other.origin_mm + steps @ other.direction.T)
    return grid.shape == other.shape and bool(np.abs(places - corners).max() < _SAME_PLACE)


def _rows_of(export, images, outlined, names, reasons):
    """Return the rows of a study: one, or one of each region if several were asked for."""
    usable = {}
    try:
        for name, image in sorted(images_by_name(images, names).items()):
            try:
                grid_of(image)
                usable[name] = image
            except InputError as error:
                reasons[image.uid] = str(error)
    except InputError as error:
        reasons |= {image.uid: str(error) for image in images}
    for image in images:
        reasons.setdefault(image.uid, _NOT_ASKED)
    regions = {name: outlined[image.uid] for name, image in usable.items()}
    keys = list(dict.fromkeys(key for outlines in regions.values() for key in outlines))
    patterns = {outline.pattern for outlines in regions.values() for outline in outlines.values()}
    if len(patterns) == 1 and len(keys) > 1 and all(len(outlines) == 1 for outlines in regions.values()):
        chosen = [(patterns.pop(), {name: next(iter(outlines.values())) for name, outlines in regions.items()})]
    else:
        chosen = [(None, {name: each[key] for name, each in regions.items() if key in each}) for key in keys]
    return [_row(export, usable, outlines, pattern) for pattern, outlines in chosen]


def _row(export, images, outlines, pattern):
    """Return the row of a region; `pattern` names it if the files of the images call it differently."""
    row = {f"image_{name}": export.place_of(images[name]) for name in outlines}
    row |= {f"mask_{name}": outline.path for name, outline in outlines.items()}
    region = pattern or next(iter(outlines.values())).region
    return row | {"roi_name": region, "uids": [images[name].uid for name in outlines]}
