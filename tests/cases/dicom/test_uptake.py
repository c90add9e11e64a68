"""PET in DICOM is converted to SUV by body weight, by the rules of the standard; the truth is computed by hand."""

import numpy as np
import pytest

from radiodeep.cases.readers import read_volume
from radiodeep.cases.reading import Reading
from radiodeep.exceptions import DicomSeriesError, RadiodeepWarning

STORED = np.arange(24).reshape(3, 2, 4) * 100
HALF_LIFE = 6586.2
HEADER = {
    "Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN", "SCAT"], "PatientWeight": 70,
    "SeriesDate": "20240301", "SeriesTime": "110000", "AcquisitionDate": "20240301", "AcquisitionTime": "110000",
    "ActualFrameDuration": 120000,
}  # fmt: skip
TRACER = {
    "RadionuclideTotalDose": 350e6, "RadionuclideHalfLife": HALF_LIFE, "RadiopharmaceuticalStartTime": "100000"
}  # fmt: skip
OLD_TIMES = pytest.mark.filterwarnings("ignore:Invalid value for VR TM")  # in writing the file
# 350 MBq, an hour later: 350e6 * 2 ** (-3600 / 6586.2) = 239.62 MBq; 70,000 g / 239.62e6 Bq = 2.92130e-4 g/Bq.
AFTER_AN_HOUR = 70_000 / (350e6 * 0.5 ** (3600 / HALF_LIFE))


@pytest.fixture
def write_pet(dicom_files, tmp_path):
    """Write three slices whose header and tracer are changed; None removes an element."""
    from pydicom.dataset import Dataset

    def write(tracer=(), private=(), each=(), **changes):
        item = Dataset()
        for name, value in {**TRACER, **dict(tracer)}.items():
            if value is not None:
                setattr(item, name, value)
        header = {name: value for name, value in {**HEADER, **changes}.items() if value is not None}
        header["RadiopharmaceuticalInformationSequence"] = [item]
        slices = {level: {**header, **dict(each).get(level, {})} for level in range(3)}
        dicom_files.series(tmp_path, STORED, modality="PT", description="AC", changes=slices)
        if private:
            add_private(tmp_path, *private)
        return tmp_path

    return write


def add_private(folder, group, creator, values):
    import pydicom

    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        block = dataset.private_block(group, creator, create=True)
        for element, (kind, value) in values.items():
            block.add_new(element, kind, value)
        dataset.save_as(path, enforce_file_format=True)


def factor_of(folder, reading=None):
    voxels = read_volume(folder, reading or Reading()).voxels
    factors = voxels[STORED > 0] / STORED[STORED > 0]
    assert voxels[0, 0, 0] == 0
    return pytest.approx(factors, rel=1e-12)


def test_activity_is_divided_by_the_dose_that_is_left_at_the_start_of_the_scan(write_pet):
    assert pytest.approx(2.92130e-4, rel=1e-5) == AFTER_AN_HOUR
    assert factor_of(write_pet()) == np.full(23, AFTER_AN_HOUR)


def test_stored_units_are_kept_on_request(write_pet):
    folder = write_pet(PatientWeight=None)
    voxels = read_volume(folder, Reading(pet_unit="stored")).voxels
    np.testing.assert_array_equal(voxels, STORED)


def test_slopes_of_slices_count_before_the_conversion(write_pet):
    folder = write_pet(each={level: {"RescaleSlope": slope} for level, slope in enumerate((0.5, 2, 3))})
    expected = STORED * np.reshape([0.5, 2, 3], (3, 1, 1)) * AFTER_AN_HOUR
    np.testing.assert_allclose(read_volume(folder).voxels, expected, rtol=1e-12)


def test_images_corrected_to_the_injection_take_the_whole_dose(write_pet):
    folder = write_pet(DecayCorrection="ADMIN", SeriesTime=None, tracer={"RadiopharmaceuticalStartTime": None})
    assert factor_of(folder) == np.full(23, 70_000 / 350e6)


def test_images_without_correction_take_the_dose_left_on_average_during_each_frame(write_pet):
    times = ("110000", "110200", "110400")
    folder = write_pet(
        DecayCorrection="NONE",
        CorrectedImage=["ATTN"],
        each={level: {"AcquisitionTime": time} for level, time in enumerate(times)},
    )
    # The mean of 2 ** (-t / half-life) over the 120 s of each frame, by the midpoints of 12,000 steps.
    moments = 3600 + np.arange(0, 120, 0.01) + 0.005
    expected = [70_000 / (350e6 * np.mean(0.5 ** ((moments + 120 * level) / HALF_LIFE))) for level in range(3)]
    np.testing.assert_allclose(read_volume(folder).voxels, STORED * np.reshape(expected, (3, 1, 1)), rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "hours"),
    [
        ({"SeriesTime": "105500"}, 55 / 60),  # the console's clock before the first bed
        ({"SeriesTime": "130000"}, 1),  # reconstructed again: the earliest acquisition counts
        ({"SeriesTime": "130000", "each": {1: {"AcquisitionTime": "104500.5"}}}, (45 + 0.5 / 60) / 60),
        ({"SeriesTime": "105500", "AcquisitionDate": None}, 55 / 60),
        ({"SeriesTime": "130000", "SeriesDate": None}, 1),
        (
            {
                "SeriesTime": "235900", "SeriesDate": None, "AcquisitionTime": "000100",
                "tracer": {"RadiopharmaceuticalStartTime": "225900"},
            },
            1,
        ),
        (
            {
                "TimezoneOffsetFromUTC": "+0100",
                "tracer": {
                    "RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20240301043000-0430"
                },
            },
            1,
        ),
        pytest.param({"SeriesTime": "11:00:00"}, 1, marks=OLD_TIMES),
        ({"SeriesDate": "20240302", "SeriesTime": "080000"}, 1),
        (
            {"SeriesTime": "001000", "AcquisitionTime": "001000", "tracer": {"RadiopharmaceuticalStartTime": "231000"}},
            1,
        ),
        ({"tracer": {"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20240301100000.0"}}, 1),
        ({"tracer": {"RadiopharmaceuticalStartDateTime": "19991231100000+0100"}}, 1),  # a date by de-identification
    ],
)  # fmt: skip
def test_the_time_between_injection_and_scan_follows_the_rules(write_pet, changes, hours):
    assert factor_of(write_pet(**changes)) == np.full(23, 70_000 / (350e6 * 0.5 ** (hours * 3600 / HALF_LIFE)))


def test_long_lived_tracers_count_days(write_pet):
    half_life = 282_240.0  # Zr-89
    tracer = {"RadionuclideHalfLife": half_life, "RadiopharmaceuticalStartDateTime": "20240227090000"}
    expected = 70_000 / (350e6 * 0.5 ** ((3 * 24 + 2) * 3600 / half_life))  # 2024 is a leap year
    assert factor_of(write_pet(tracer=tracer | {"RadiopharmaceuticalStartTime": "090000"})) == np.full(23, expected)
    zoned = tracer | {"RadiopharmaceuticalStartDateTime": "20240227100000+0200", "RadiopharmaceuticalStartTime": None}
    assert factor_of(write_pet(tracer=zoned, TimezoneOffsetFromUTC="+0100")) == np.full(23, expected)
    with pytest.raises(DicomSeriesError, match="no RadiopharmaceuticalStartDateTime"):
        read_volume(write_pet(tracer={"RadionuclideHalfLife": half_life}))
    with pytest.raises(DicomSeriesError, match="the scan begins -22 hours after the injection"):
        read_volume(write_pet(tracer=zoned | {"RadiopharmaceuticalStartDateTime": "20240302090000"}))


def test_ge_keeps_the_start_of_the_scan_in_an_element_of_its_own(write_pet):
    private = (0x0009, "GEMS_PETD_01", {0x0D: ("DT", "20240301103000.00")})
    folder = write_pet(SeriesTime="130000", private=private)
    assert factor_of(folder) == np.full(23, 70_000 / (350e6 * 0.5 ** (1800 / HALF_LIFE)))


def test_suv_of_the_scanner_are_kept(write_pet):
    folder = write_pet(Units="GML", SUVType="BW", PatientWeight=None)
    np.testing.assert_array_equal(read_volume(folder).voxels, STORED)
    with pytest.raises(DicomSeriesError, match="unit GML of the type LBM. Expected BQML, or GML by body weight"):
        read_volume(write_pet(Units="GML", SUVType="LBM"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({0x00: ("DS", "0.000521"), 0x09: ("DS", "1.7")}, 0.000521),
        ({0x00: ("DS", "0"), 0x09: ("DS", "1.7")}, 1.7 * AFTER_AN_HOUR),
        ({0x09: ("DS", "1.7")}, 1.7 * AFTER_AN_HOUR),
    ],
)
def test_counts_take_the_factors_of_philips(write_pet, values, expected):
    folder = write_pet(Units="CNTS", private=(0x7053, "Philips PET Private Group", values))
    assert factor_of(folder) == np.full(23, expected)


def test_factors_of_another_creator_do_not_count(write_pet):
    folder = write_pet(Units="CNTS", private=(0x7053, "Somebody", {0x00: ("DS", "0.5")}))
    with pytest.raises(DicomSeriesError, match=r"in the unit CNTS, without the factors that Philips stores in \(7053"):
        read_volume(folder)


def test_all_missing_elements_are_named_at_once_with_the_way_out(write_pet):
    folder = write_pet(PatientWeight=None, SeriesTime=None, tracer=dict.fromkeys(TRACER))
    names = "PatientWeight, RadionuclideTotalDose, RadionuclideHalfLife, RadiopharmaceuticalStartTime, SeriesTime"
    with pytest.raises(DicomSeriesError, match=rf"PT series 'AC' .*no {names}\. .*pet_unit='stored'"):
        read_volume(folder)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"Units": None}, "no Units"),
        ({"Units": "PROPCNTS"}, "in the unit PROPCNTS. Expected BQML"),
        ({"DecayCorrection": "LATER"}, "unknown DecayCorrection. Expected START, ADMIN or NONE"),
        ({"PatientWeight": 0}, "no PatientWeight"),
        (
            {"tracer": {"RadionuclideTotalDose": 350}},
            "divided by PatientWeight is 5. Expected Bq and kg, at least 25000",
        ),
        ({"tracer": {"RadionuclideTotalDose": 350e3}}, r"divided by PatientWeight is 5e\+03. Expected Bq"),  # kBq
        ({"PatientWeight": 70_000}, r"divided by PatientWeight is 5e\+03. Expected Bq and kg"),  # g
        ({"tracer": {"RadiopharmaceuticalStartTime": "110200"}}, "begins 23.97 hours after the injection.*half-lives"),
        pytest.param({"SeriesTime": "126000"}, "SeriesTime that is not a time", marks=OLD_TIMES),
        ({"each": {1: {"PatientWeight": 71}}}, "'1.dcm' has another PatientWeight than '0.dcm'"),
        ({"each": {2: {"Units": "GML"}}}, "'2.dcm' has another Units"),
        ({"each": {1: {"SeriesTime": "105900"}}}, "'1.dcm' has another SeriesTime"),
    ],
)
def test_headers_that_give_no_suv_are_refused(write_pet, changes, match):
    with pytest.raises(DicomSeriesError, match=match) as caught:
        read_volume(write_pet(**changes))
    assert "2024" not in str(caught.value)


@pytest.mark.parametrize(
    ("corrections", "missing"), [(["DECY"], "attenuation"), (["ATTN"], "decay"), (None, "at.* and decay")]
)
def test_images_without_corrections_are_converted_with_a_warning(write_pet, corrections, missing):
    folder = write_pet(CorrectedImage=corrections)
    with pytest.warns(RadiodeepWarning, match=f"does not say that it is corrected for {missing}"):
        assert factor_of(folder) == np.full(23, AFTER_AN_HOUR)


def test_two_times_of_injection_are_read_with_a_warning(write_pet):
    folder = write_pet(tracer={"RadiopharmaceuticalStartDateTime": "20240301093000"})
    with pytest.warns(RadiodeepWarning, match="StartTime and RadiopharmaceuticalStartDateTime are 30 minutes apart"):
        assert factor_of(folder) == np.full(23, AFTER_AN_HOUR)


def test_a_late_frame_of_a_scan_whose_start_is_unknown_is_read_with_a_warning(write_pet):
    late = {"AcquisitionTime": "115000", "FrameReferenceTime": 3060000}
    assert factor_of(write_pet(**late)) == np.full(23, AFTER_AN_HOUR)
    with pytest.warns(RadiodeepWarning, match="PT series 'AC' begins 51 minutes after the scan"):
        read_volume(write_pet(**late, SeriesTime="150000"))
