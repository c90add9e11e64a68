"""A Section -> what the page shows of it: texts, tables of texts, and figures as SVG with their numbers as csv."""

import base64
import io

from markupsafe import Markup

from radiodeep.files import without_formulas
from radiodeep.report.svg import inline_svg
from radiodeep.report.tables import texts

_MOST_SVG = 600_000  # characters; a larger figure becomes pixels


def drawn_section(section, anchor):
    """Return the contents of a section as the page takes them; `anchor` begins the ids inside its figures."""
    return {
        "section": section,
        "drawings": [drawn(drawing, f"{anchor}-{number}") for number, drawing in enumerate(section.drawings)],
        "tables": {title: texts(table) for title, table in section.tables.items()},
        "folded": {title: texts(table) for title, table in section.folded.items()},
    }


def drawn(drawing, prefix):
    """Return title, caption, picture and numbers (csv) of a Drawing."""
    picture = inline_svg(drawing.figure, prefix, drawing.title)
    is_vector = len(picture) <= _MOST_SVG
    csv = None
    if drawing.numbers is not None:
        csv = without_formulas(drawing.numbers).to_csv(float_format="%.6g")
    return {
        "title": drawing.title,
        "caption": drawing.caption,
        "picture": picture if is_vector else _pixels(drawing),
        "is_vector": is_vector,
        "csv": csv,
    }


def _pixels(drawing):
    buffer = io.BytesIO()
    drawing.figure.savefig(buffer, format="png", dpi=150)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(drawing.title, data)
