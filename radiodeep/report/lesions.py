"""A cohort -> what a report shows of its lesions: small pictures with outlines, sizes, voxels and clinical facts."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from skimage.measure import approximate_polygon, find_contours

from radiodeep.cases.cohort import as_items
from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.exceptions import InputError
from radiodeep.report.extreme_cases import about_region, lesion_to_show

_SIDE = 128  # pixels of the longer side of a picture
_QUALITY = 72  # of JPEG
MOST_PICTURES = 300  # about 1.5 MB


@dataclass(frozen=True, eq=False)
class Lesions:
    """What is known of lesions, by case id.

    `facts` has numbers (sizes, voxels) and `clinical` what the manifest knows besides, a row per case. `pictures` maps
    ids to dicts of `jpeg` (base64), `width`, `height`, `outline` (a path of SVG) and `image` (its name, or "").
    """

    facts: pd.DataFrame
    clinical: pd.DataFrame
    pictures: dict

    @classmethod
    def of(cls, cohort, shown):
        """Read the lesions of a cohort, with pictures of the ids `shown`; a case that cannot be read has no facts.

        Of a patient it is the largest lesion, of several images the first.
        """
        items = {item.id: item for item in as_items(cohort)}
        shown = set(shown)
        facts, pictures = {}, {}
        for case_id, item in items.items():
            try:
                name, lesion = lesion_to_show(item)
                facts[case_id] = _facts(lesion)
                if case_id in shown:
                    pictures[case_id] = {**_picture(lesion), "image": name}
            except (InputError, StopIteration):
                facts[case_id] = {}
        clinical = pd.DataFrame([dict(item.clinical) for item in items.values()], index=list(items))
        return cls(pd.DataFrame.from_dict(facts, orient="index"), clinical, pictures)


def _facts(lesion):
    voxels, _, spacing_mm = lesion.read()
    size = "Area of the region (mm²)" if min(voxels.shape) == 1 else "Volume of the region (mm³)"
    within = list(spacing_mm)
    of_slices = within.pop(acquisition_axis(voxels.shape, spacing_mm))
    spacing = {} if min(voxels.shape) == 1 else {"Slice spacing (mm)": float(of_slices)}
    return {size: float(lesion.roi_size_mm), "Pixel size (mm)": float(max(within)), **spacing}


def _picture(lesion):
    """Return the largest slice about the region in grey, and the outline as a path in its pixels."""
    from PIL import Image  # late: nothing else here draws

    image, roi, ratio = about_region(lesion)
    extent = np.array([roi.shape[0] * ratio, roi.shape[1]])
    height, width = (int(size) for size in np.maximum(1, np.round(extent * (_SIDE / extent.max()))))
    finite = image[np.isfinite(image)].astype(float)
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    gray = np.clip((np.nan_to_num(image.astype(float), nan=low) - low) / (high - low if high > low else 1.0), 0, 1)
    file = io.BytesIO()
    picture = Image.fromarray(np.round(255 * gray).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
    scale = np.array([height / roi.shape[0], width / roi.shape[1]])
    jpeg = base64.b64encode(file.getvalue()).decode()
    return {"jpeg": jpeg, "width": width, "height": height, "outline": _outline(roi, scale)}


def _outline(roi, scale):
    """Return the border of a region (y, x) as a path of SVG, in pixels of `scale` (y, x) times those of the region."""
    path = []
    for contour in find_contours(np.pad(roi.astype(float), 1), 0.5):
        points = approximate_polygon((contour - 0.5) * scale, 0.4)  # the padding is one pixel, a pixel's centre half
        path.append("M" + "L".join(f"{x:.1f} {y:.1f}" for y, x in points[:-1]) + "Z")
    return "".join(path)
