"""In: a folder of DICOM files as a PACS exports them. Out: rows of a manifest, and the series that are left out.

Voxels are not read. Nothing of a header that tells of a person, a place or a date comes out, except PatientIDs on
request.
"""

import filecmp
import os
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.choice import WITHOUT_IMAGE
from radiodeep.cases.dicom.headers import read_header
from radiodeep.cases.dicom.outlines import images_by_name, names_matching, outlined_images
from radiodeep.cases.dicom.series import DicomSeries, find_series, grid_of
from radiodeep.cases.manifests.file_masks import file_masks
from radiodeep.cases.manifests.folder_table import FolderTable, number_cases, regions_asked
from radiodeep.cases.masks import OUTLINE_READERS
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.progress import with_progress

_SAME_PLACE = 0.05  # of a voxel
_OF_STUDY = ("StudyDate", "StudyTime", "StudyInstanceUID", "PatientName")  # for their order and identity alone
_KINDS = (*OUTLINE_READERS, "file")  # one counts where those before have no region
_NOT_ASKED = "its description is none of those asked for"


@dataclass(frozen=True, eq=False)
class _Source:
    """A file with regions: whose it is, and for each region its name and the UID of its image, None for no image."""

    kind: str
    path: Path
    series: DicomSeries
    region_names: tuple[str, ...]
    uids: tuple
    is_named: bool = True


@dataclass(frozen=True, eq=False)
class _Outline:
    """A region of a file, and the name or pattern that it matches."""

    source: _Source
    region: str
    pattern: str


class _Export:
    """The series of a folder: whose they are, and where the images lie."""

    def __init__(self, folder, keep_patient_ids):
        self.folder, unreadable = folder, {}
        self.series = list(find_series(folder, unreadable).values())
        self.images = {each.uid: each for each in self.series if each.modality not in WITHOUT_IMAGE}
        files = {path for each in self.series for path in each.paths}
        self.table = FolderTable(dicom_files=files | set(unreadable))
        for path, error in unreadable.items():
            self.table.leave_out([path], str(error))
        self._headers = {each.uid: read_header(each.paths[0], _OF_STUDY) for each in self.series}
        self._patients = self._named_patients(keep_patient_ids)
        self._n_images_in = Counter(
            folder
            for image in self.images.values()
            for folder in {above for path in image.paths for above in path.parents}
        )
        self._warn_of_names(keep_patient_ids)

    def _named_patients(self, keep_patient_ids):
        """Return the names of patients by PatientID, or by study if that is blank."""
        keys = sorted({self._key(series) for series in self.series})
        width = max(3, len(str(len(keys))))
        names = {}
        for number, (patient_id, study) in enumerate(keys, 1):
            kept = patient_id if keep_patient_ids else ""
            name = names[patient_id, study] = kept or f"{'study' if keep_patient_ids else 'patient'}-{number:0{width}d}"
            self.table.patient_ids[name] = patient_id
        return names

    def _key(self, series):
        return (series.patient, "" if series.patient else str(self._headers[series.uid]["StudyInstanceUID"]))

    def patient_of(self, series):
        return self._patients[self._key(series)]

    def studies(self):
        """Return (patient, images) of each study, those of a patient in the order of their dates."""
        studies, moments = defaultdict(list), {}
        for image in self.images.values():
            date, time, uid = (str(value or "") for value in list(self._headers[image.uid].values())[:3])
            key = self.patient_of(image), uid
            studies[key].append(image)
            moments[key] = min(moments.get(key, (date, time)), (date, time))
        return [(key[0], studies[key]) for key in sorted(studies, key=lambda key: (key[0], moments[key], key[1]))]

    def _warn_of_names(self, keep_patient_ids):
        """Warn of one PatientID with several names, which may be that of several patients."""
        names = defaultdict(set)
        for image in self.images.values():
            name = str(self._headers[image.uid]["PatientName"] or "")
            names[self.patient_of(image)].add("".join(filter(str.isalnum, name)).casefold())
        several = sorted(patient for patient, known in names.items() if len(known - {""}) > 1)
        if several:
            listed = "" if keep_patient_ids else f" ({', '.join(several[:10])})"
            warnings.warn(
                f"PatientIDs that stand beside different PatientNames: {len(several)}{listed}. If they are of several "
                "patients, correct the column 'patient'.",
                RadiodeepWarning,
                stacklevel=5,
            )

    def place_of(self, image):
        """Return the path of an image in a manifest: its folder, and its UID if other images lie there or below."""
        home = Path(os.path.commonpath([path.parent for path in image.paths]))
        return home if self._n_images_in[home] == 1 else home / image.uid

    def leave_out(self, series, reason, paths=None):
        self.table.leave_out(paths or series.paths, reason, self.patient_of(series), series.name)


def table_of_export(folder, roi=None, names=None, keep_patient_ids=False, mask_files=(), resample_mask=False):
    """Return the `FolderTable` of a folder with DICOM series.

    `roi` is None or a list of names and `names` a dict of images, see `folder_manifest`; `mask_files` are images in
    other formats. Raises the errors of `find_series` and `regions_asked`.
    """
    export = _Export(folder, keep_patient_ids)
    outlines, reasons = _outlines_of(export, roi, names, mask_files)
    for patient, images in export.studies():
        outlined = {image.uid: outlines[image.uid] for image in images if image.uid in outlines}
        if names and outlined:
            _add_named(outlined, images, names, reasons, resample_mask)
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


def _outlines_of(export, roi, names, mask_files):
    """Return {UID of an image: {region: outline}}, and {UID: why the outlines of an image cannot be used}."""
    sources = [*_read_outlines(export, names), *_read_masks(export, mask_files)]
    asked = regions_asked([(export.patient_of(source.series), source.region_names) for source in sources], roi)
    found, reasons = defaultdict(lambda: defaultdict(list)), {}
    for source, (positions, pattern) in zip(sources, asked, strict=True):
        if not positions:
            listed = ", ".join(f"'{name}'" for name in source.region_names) or "none"
            reasons |= dict.fromkeys(source.uids, f"'{source.path.name}' outlines other regions on it: {listed}")
            export.leave_out(source.series, f"it has no region that was asked for, but {listed}", [source.path])
        for position in positions:
            region = source.region_names[position]
            if source.uids[position] is not None:
                found[source.uids[position]][region.casefold()].append(_Outline(source, region, pattern))
    outlines, used = {}, set()
    for uid, regions in found.items():
        kinds = {outline.source.kind for outlines in regions.values() for outline in outlines}
        kind = next(kind for kind in _KINDS if kind in kinds)
        for region, candidates in regions.items():
            candidates = [outline for outline in candidates if outline.source.kind == kind]
            used |= {outline.source for outline in candidates}
            if len(candidates) > 1:
                reasons[uid] = _repeated(candidates, export.folder)
            elif candidates:
                outlines.setdefault(uid, {})[region] = candidates[0]
    matching = {each.source for regions in found.values() for outlines in regions.values() for each in outlines}
    for source in sources:
        if source in matching - used:
            other = "an RTSTRUCT" if source.kind == "SEG" else "an RTSTRUCT or SEG"
            export.leave_out(source.series, f"{other} outlines the same image, and counts", [source.path])
    return outlines, reasons


def _repeated(outlines, folder):
    """Say that a region is outlined more than once."""
    region, paths = outlines[0].region, sorted({outline.source.path for outline in outlines})
    if len(paths) == 1:
        return f"'{paths[0].name}' has {len(outlines)} regions called '{region}'"
    files = ", ".join(f"'{path.relative_to(folder)}'" for path in paths)
    return f"{len(paths)} files outline '{region}' on it: {files}. Move those away that should not count"


def _read_outlines(export, names):
    """Return the `_Source` of each RTSTRUCT or SEG file that outlines an image; a copy of another does not count."""
    files = [(series, path) for series in export.series if series.modality in OUTLINE_READERS for path in series.paths]
    sources, known = [], defaultdict(list)
    for series, path in with_progress(files, "Reading outlines", len(files), "files"):
        same_size = known[path.stat().st_size]
        copied = next((other for other in same_size if filecmp.cmp(other, path, shallow=False)), None)
        if copied is not None:
            export.leave_out(series, f"a copy of '{copied.relative_to(export.folder)}'", [path])
            continue
        same_size.append(path)
        try:
            regions = OUTLINE_READERS[series.modality](path)
        except InputError as error:
            export.leave_out(series, str(error), [path])
            continue
        images = {uid: image for uid, image in export.images.items() if image.patient == series.patient}
        uids = outlined_images(regions, images, names)
        if any(uids):
            sources.append(_Source(series.modality, path, series, regions.region_names, uids))
        else:
            export.leave_out(series, _reason_against(regions, images, export.images), [path])
    return sources


def _reason_against(regions, images, others):
    n_named = sum(uid in images for uid in set(regions.series_uids))
    if n_named > 1:
        return f"it refers to {n_named} images, not to one. Choose by their descriptions (series, --image)"
    if any(uid in others for uid in regions.series_uids):
        return "it outlines an image of another PatientID. Give both the same"
    return "it outlines no image in the folder. Add the series that it was drawn on"


def _read_masks(export, paths):
    """Return the `_Source` of each mask in another format that has the voxels of a DICOM series."""
    masks, reasons = file_masks(paths, export.folder, list(export.images.values()))
    for path, reason in reasons.items():
        export.table.leave_out([path], reason)
    export.table.dicom_files |= {*reasons, *(mask.path for mask in masks)}
    return [
        _Source(
            "file",
            mask.path,
            export.images[mask.uid],
            mask.region_names,
            (mask.uid,) * len(mask.region_names),
            mask.is_named,
        )
        for mask in masks
    ]


def _add_named(outlined, images, names, reasons, resample_mask):
    """Add the chosen images of a study without an outline: they take that of an image with the same voxels.

    With `resample_mask` they take that of the only outlined image of their frame of reference otherwise.
    """
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
        taken = same or (related if resample_mask else [])
        if len(taken) == 1:
            outlined[image.uid] = outlined[taken[0].uid]
        else:
            problem = "several outlined series have" if same else "the outlined series has not"
            way_out = "" if taken else ". resample_mask=True takes it nevertheless"
            reasons[image.uid] = f"it has no outline of its own, and {problem} its size, voxels and place{way_out}"


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
    row |= {f"mask_{name}": outline.source.path for name, outline in outlines.items()}
    is_named = all(outline.source.is_named for outline in outlines.values())
    region = (pattern or next(iter(outlines.values())).region) if is_named else ""
    return row | {"roi_name": region, "uids": [images[name].uid for name in outlines]}
