"""Figures inside a page: texts stay texts, ids differ between figures, and links to cases stay."""

import io
import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from radiodeep.report.drawn import drawn
from radiodeep.report.section import Drawing
from radiodeep.report.style import colours_of, figure_with_axes, plain_text
from radiodeep.report.svg import inline_svg


def dots(title="title"):
    figure, axes = figure_with_axes(3, 2)
    axes.plot([0, 1], [0.123456, 1])
    axes.scatter([0, 1], [0, 1]).set_urls(["#case-0", "#case-7"])
    axes.set_title(plain_text(title))
    return figure


def test_what_users_typed_is_text_in_a_figure():
    hostile = '</text><script>alert(1)</script> $x$ " id="case-1" 0.123456 --> ]]>'
    svg = inline_svg(dots(hostile), "a", hostile)
    root = ElementTree.fromstring(svg)
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert hostile in texts
    assert root.get("aria-label") == hostile
    assert "<script" not in svg
    assert "<style" not in svg


def test_ids_of_two_figures_differ_and_each_reference_has_its_target():
    first, second = (inline_svg(dots(), prefix, "title") for prefix in ("a", "b"))
    found = [set(re.findall(r' id="([^"]*)"', text)) for text in (first, second)]
    assert found[0]
    assert not found[0] & found[1]
    references = set(re.findall(r'(?:href="#|url\(#)([^")]*)', first))
    assert references - {"case-0", "case-7"} == found[0]
    assert all(name.startswith("a-") for name in found[0])
    assert {"case-0", "case-7"} <= references
    assert first == inline_svg(dots(), "a", "title")


def test_a_figure_of_too_many_elements_becomes_pixels_and_numbers_are_safe_in_a_spreadsheet(monkeypatch):
    drawing = Drawing("dots", dots(), "caption", pd.DataFrame({"id": ["=1+1"], "value": [1 / 3]}))
    shown = drawn(drawing, "a")
    assert shown["is_vector"]
    assert shown["csv"].splitlines()[1] == "0,'=1+1,0.333333"
    monkeypatch.setattr("radiodeep.report.drawn._MOST_SVG", 10)
    shown = drawn(drawing, "a")
    assert not shown["is_vector"]
    assert shown["picture"].startswith('<img alt="dots" src="data:image/png;base64,')


def test_a_model_has_one_colour_in_all_reports_and_size_is_grey():
    class Named:
        def __init__(self, name):
            self.name = name

    usual = colours_of([Named("deep"), Named("combined"), Named("other")])
    assert usual["combined"] == colours_of([Named("combined")])["combined"]
    assert usual["size alone"] == "#7f7f7f"
    assert len(set(usual.values())) == 4
    many = colours_of({str(number): Named(str(number)) for number in range(12)})
    assert len(many) == 13


def test_a_figure_is_laid_out_once_as_savefig_would():
    def figure():
        drawn_once, axes = figure_with_axes(3, 2)
        axes.plot([0, 1000], [0, 1e5])
        axes.set(xlabel="x", ylabel="a label\nof two lines")
        return drawn_once, axes

    (first, axes), (second, expected) = figure(), figure()
    drawings = []
    first.draw = lambda renderer, draw=first.draw: drawings.append(draw(renderer))
    inline_svg(first, "p", "t")
    second.savefig(io.StringIO(), format="svg")
    assert len(drawings) == 1
    assert axes.get_position().bounds == pytest.approx(expected.get_position().bounds, abs=1e-9)
