"""A matplotlib figure -> SVG inside a page: sharp on paper, with text that can be searched and links to the cases."""

import io
import re

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
    (re.compile(r"\s+"), " "),
)


def _identifier(found, names):
    """Return an id by its new name; none if nothing refers to it."""
    return f' id="{names[found.group(1)]}"' if found.group(1) in names else ""


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
        _lay_out(FigureCanvasSVG(figure))
        figure.savefig(buffer, format="svg", metadata=_METADATA, transparent=True)
    text = buffer.getvalue()
    text = _STYLE_OF_ALL.sub("", text[text.index("<svg") :])
    referred = dict.fromkeys(_REFERRED.findall("".join(_TAG.findall(text))))
    names = {name: f"{prefix}-{number}" for number, name in enumerate(referred)}
    names |= {name: name for name in referred if name.startswith("case-")}

    def tag(match):
        text = re.sub(r' id="([^"]*)"', lambda found: _identifier(found, names), match.group())
        text = re.sub(r'(url\(#|href="#)([^")]+)', lambda found: found.group(1) + names[found.group(2)], text)
        for pattern, replacement in _IN_TAGS:
            text = pattern.sub(replacement, text)
        return text

    text = re.sub(r">\s+<", "><", _TAG.sub(tag, text))
    label = Markup('<svg role="img" aria-label="{}" style="stroke-linejoin: round; stroke-linecap: butt"').format(title)
    return label + Markup(text.removeprefix("<svg"))  # matplotlib escapes texts
