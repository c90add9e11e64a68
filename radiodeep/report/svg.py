"""A matplotlib figure -> SVG inside a page: sharp on paper, with text that can be searched and links to the cases."""

import io
import re
from itertools import chain

from markupsafe import Markup

_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # none, so that equal figures give equal text
_STYLE_OF_ALL = re.compile(r'<defs>\s*<style type="text/css">[^<]*</style>\s*</defs>')  # would be that of the page
_TAG = re.compile(r"<[^>]*>")
_REFERRED = re.compile(r'(?:url\(#|href="#)([^")]+)')
_IN_TAGS = (
    (re.compile(r"'DejaVu Sans', 'Bitstream Vera Sans'[^;\"]*sans-serif"), "'DejaVu Sans', Verdana, sans-serif"),
    (re.compile(r' target="_blank"| transform="rotate\(-?0 [^"]*"'), ""),
    (re.compile(r"(\d+\.\d\d)\d+"), r"\1"),
    (re.compile(r"(?<=[:;]) (?=[#\w])"), ""),
    (re.compile(r"[^\S ]\s*| \s+"), " "),
)


def _identifier(found, names):
    """Return an id by its new name; none if nothing refers to it."""
    return f' id="{names[found.group(1)]}"' if found.group(1) in names else ""


def _leave_out_empty_labels(figure):
    """Fix where empty labels of axes are: matplotlib would measure all ticks several times to place them."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if not axis.label.get_text():
            axis.set_label_coords(0.5, 0.5)


def _lay_out(canvas):
    """Place the axes of a figure of vectors, once: `savefig` would draw all of it for that, and again to write it."""
    figure = canvas.figure
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.dpi = 72  # points
        engine.execute(figure)
        figure.set_layout_engine(None)


def inline_svg(figure, prefix, title):
    """Return a figure as an svg element with a title for screen readers.

    Its ids begin with a prefix, as several figures share a page. Links of artists to "#case-N" stay: N is the position
    of a case in the first result of the report.
    """
    import matplotlib as mpl  # takes a second, which most uses of radiodeep need not spend
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "radiodeep"}):
        _leave_out_empty_labels(figure)
        _lay_out(FigureCanvasSVG(figure))
        figure.savefig(buffer, format="svg", metadata=_METADATA, transparent=True)
    text = buffer.getvalue()
    text = _STYLE_OF_ALL.sub("", text[text.index("<svg") :])
    tags, between = _TAG.findall(text), _TAG.split(text)
    joined = "".join(tags)  # one call for all: a call for each of thousands of tags takes several times as long
    referred = dict.fromkeys(_REFERRED.findall(joined))
    names = {name: f"{prefix}-{number}" for number, name in enumerate(referred)}
    names |= {name: name for name in referred if name.startswith("case-")}
    joined = re.sub(r' id="([^"]*)"', lambda found: _identifier(found, names), joined)
    joined = re.sub(r'(url\(#|href="#)([^")]+)', lambda found: found.group(1) + names[found.group(2)], joined)
    for pattern, replacement in _IN_TAGS:
        joined = pattern.sub(replacement, joined)
    pieces = chain.from_iterable(zip(between, [*_TAG.findall(joined), ""], strict=True))
    text = re.sub(r">\s+<", "><", "".join(pieces))
    label = Markup('<svg role="img" aria-label="{}" style="stroke-linejoin: round; stroke-linecap: butt"').format(title)
    return label + Markup(text.removeprefix("<svg"))  # matplotlib escapes texts
