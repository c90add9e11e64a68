"""In: a case. Out: HTML for notebooks with a slice, the outline of the region, and the properties of the image."""

import base64
import html
import io

import numpy as np
from scipy import ndimage

from radiodeep.cases.slice_plane import SLICE_AXES, acquisition_axis

_SIDE = 260  # pixels of the longer side
_OUTLINE = (255, 64, 64)


def case_html(case):
    """Return HTML with the slice that has most of the region, outlined, and the properties of the case.

    Slices are those of the plane of acquisition; coronal and sagittal ones have the head at the top. If the case cannot
    be read, the error is shown instead. Several images follow each other.
    """
    facts = {"id": case.id, "label": case.label}
    if case.time is not None:
        facts["follow-up"] = f"{case.time:g}, {'event' if case.event else 'no event'}"
    if not case.image_names:
        return _image_html(facts, case.lesion)
    first, *others = case.image_names
    facts_of = {first: facts} | {name: {} for name in others}
    return "".join(
        _image_html(known | {"image": name}, lambda name=name: case.of_image(name).lesion())
        for name, known in facts_of.items()
    )


def _image_html(facts, read):
    picture = ""
    try:
        lesion = read()
        image, roi, in_plane, shown = largest_slice(lesion)
        voxels, region, spacing_mm = lesion.read()
        facts["size (x, y, z)"] = " x ".join(str(size) for size in voxels.shape[::-1])
        facts["spacing (x, y, z)"] = " x ".join(f"{step:.4g}" for step in spacing_mm[::-1]) + " mm"
        unit = "mm²" if min(voxels.shape) == 1 else "mm³"
        facts["region"] = f"{int(region.sum())} voxels, {lesion.roi_size_mm:.4g} {unit}"
        facts["slice shown"] = shown
        data = base64.b64encode(outlined_slice(image, roi, in_plane)).decode()
        picture = f'<img alt="slice with outline" src="data:image/png;base64,{data}">'
    except Exception as error:  # a notebook that shows a list of cases goes on
        facts["error"] = f"{type(error).__name__}: {error}"
    rows = "".join(
        f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{html.escape(str(value))}</td></tr>'
        for name, value in facts.items()
        if value is not None
    )
    return f'<div style="display:flex;gap:1em;align-items:flex-start">{picture}<table>{rows}</table></div>'


def largest_slice(lesion):
    """Return the slice with most of the region: image and region (y, x), spacing (y, x) in mm, and which one it is.

    Slices are those of the plane of acquisition; coronal and sagittal ones have the head at the top.
    """
    voxels, roi, spacing_mm = lesion.read()
    axis = acquisition_axis(voxels.shape, spacing_mm)
    slices, outlines = np.moveaxis(voxels, axis, 0), np.moveaxis(roi, axis, 0)
    number = int(np.argmax(outlines.sum(axis=(1, 2))))
    rows = slice(None, None, 1 if axis == 0 else -1)
    plane = "" if len(slices) == 1 else f" ({list(SLICE_AXES)[axis]})"
    shown = f"{number + 1} of {len(slices)}{plane}"
    return slices[number][rows], outlines[number][rows], np.delete(spacing_mm, axis), shown


def outlined_slice(image, roi, spacing_mm):
    """Return a PNG of a slice (y, x) in grey with the outline of its region, in physical proportions.

    The grey scale runs from the 1st to the 99th percentile of the finite values; the spacing is (y, x).
    """
    from PIL import Image  # late: nothing else here draws

    finite = image[np.isfinite(image)].astype(np.float64)
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 0.0)
    scale = 255 / (high - low) if high > low else 0.0
    gray = np.clip((np.nan_to_num(image.astype(np.float64), nan=low) - low) * scale, 0, 255).astype(np.uint8)
    extent = np.array(image.shape) * np.array(spacing_mm)
    height, width = np.maximum(1, np.round(extent * (_SIDE / extent.max()))).astype(int)
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(int)
        for new, old in zip((height, width), image.shape, strict=True)
    )
    pixels = np.repeat(gray[rows][:, columns, np.newaxis], 3, axis=2)
    shown = roi[rows][:, columns]
    pixels[shown & ~ndimage.binary_erosion(shown)] = _OUTLINE
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
