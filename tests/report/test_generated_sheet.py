import numpy as np
import pytest
from matplotlib.image import imread

import radiodeep as rd
from radiodeep.exceptions import InputError


def case(number, label):
    image = np.arange(100.0).reshape(10, 10)
    return rd.Case(image, image > 50, f"case {number}", (1, 1), label=label)


def test_each_class_has_a_row_of_real_and_one_of_generated_cases(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("radiodeep.report.generated_sheet.draw_outlined", lambda axes, *_: drawn.append(axes))
    real = [case(number, number % 2) for number in range(6)]
    made = [case(number, 1) for number in range(2)]
    assert rd.write_generated_sheet(real, made, tmp_path / "sheet.png", n_per_class=2).is_file()
    assert len(drawn) == 4  # class 1 alone, of which cases were generated
    figure = drawn[0].figure
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["1, real", "1, generated"]


def test_a_sheet_is_a_picture(tmp_path):
    path = rd.write_generated_sheet([case(0, "a")], [case(1, "a")], tmp_path / "sheet.png", n_per_class=1)
    assert imread(path).std() > 0


def test_a_sheet_without_generated_cases_or_with_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match="needs one at least"):
        rd.write_generated_sheet([case(0, 1)], [], tmp_path / "sheet.png")
    with pytest.raises(InputError, match=r"'path' parameter of write_generated_sheet must be a name that ends in .png"):
        rd.write_generated_sheet([case(0, 1)], [case(1, 1)], tmp_path / "sheet.pdf")
