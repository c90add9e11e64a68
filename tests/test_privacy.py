"""Nothing of a DICOM header that tells of a person, a place or a date comes out of the package, in whatever form."""

import base64
import gzip
import io
import re
import signal
import sys
import warnings
import zipfile
import zlib
from functools import cache

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.cli import main
from radiodeep.exceptions import InputError

SECRET = re.compile(rb"SxqMark\w*|1937.?02.?11|031759\.7705\d*|87\.6543219")
DATE, TIME, WEIGHT = "19370211", "031759.770513", "87.6543219"
TEXTS = ("PN", "LO", "SH", "LT", "ST", "UT", "UC", "AE")
GROUPS = (0x08, 0x10, 0x12, 0x18, 0x20, 0x32, 0x38, 0x40, 0x54, 0x3006)
ALLOWED = ("SeriesDescription", "ROIName", "SegmentLabel")  # by which series and regions are chosen
SHAPE = (5, 20, 20)
EMBEDDED = re.compile(rb"base64,([A-Za-z0-9+/=\s]{100,})")


@cache
def secret_elements():
    """Return (tag, kind, value) of the elements of the standard that hold a text, a date or a time."""
    from pydicom.datadict import DicomDictionary

    elements = []
    for tag, (kind, *_, keyword) in DicomDictionary.items():
        value = f"SxqMark{tag:08X}"
        values = {"DA": DATE, "TM": TIME, "DT": DATE + TIME, **dict.fromkeys(TEXTS, value), "PN": f"{value}^SxqMark"}
        if tag >> 16 in GROUPS and keyword not in ALLOWED and kind in values:
            elements.append((tag, kind, values[kind]))
    return elements


def add_secrets(path):
    """Fill every element of a DICOM file that holds a text, a date or a time; each text begins with 'SxqMark'."""
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    dataset = dcmread(path)
    for tag, kind, value in secret_elements():
        if tag not in dataset or tag == 0x00100010:
            dataset.add_new(tag, kind, value)
    dataset.PatientWeight = WEIGHT
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "SxqMarkOther", "SxqMarkIssuer"
    dataset.OtherPatientIDsSequence = [other]
    dataset.private_block(0x0011, "SxqMarkCreator", create=True).add_new(1, "LO", "SxqMarkPrivate")
    dataset.save_as(path)


def secrets_in(content, depth=0):
    """Return the secrets in bytes, also in the parts of archives and embedded images, compressed or not."""
    found = {match.decode() for match in SECRET.findall(content)}
    if depth > 4:
        return found
    for part in parts_of(content):
        found |= secrets_in(part, depth + 1)
    return found


def parts_of(content):
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (part for name in archive.namelist() for part in (name.encode(), archive.read(name)))
    if content.startswith(b"PAR1"):
        yield pd.read_parquet(io.BytesIO(content)).to_csv().encode()
    if content.startswith(b"\x89PNG"):
        for chunk in re.finditer(rb"(?s)(zTXt|iTXt)(.*?)\0+(x\x9c.*?)(?=....IEND|....IDAT)", content):
            yield zlib.decompressobj().decompress(chunk[3])
    for embedded in EMBEDDED.findall(content):
        yield base64.b64decode(embedded)


def leaks(folder, *texts):
    """Return {where: secrets} of all files of a folder, their names, and texts."""
    found = {str(path): secrets_in(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    found |= {f"name of {path}": secrets_in(str(path.relative_to(folder)).encode()) for path in folder.rglob("*")}
    found |= {f"text {number}: {text[:300]}": secrets_in(text.encode()) for number, text in enumerate(texts)}
    return {where: secrets for where, secrets in found.items() if secrets}


@pytest.fixture
def export(dicom_files, tmp_path):
    """A function that writes a folder of patients whose headers are full of secrets, the last ones broken."""

    def write(n_patients, n_broken=0):
        rng = np.random.default_rng(0)
        folder = tmp_path / "export"
        for number in range(n_patients):
            voxels = np.round(rng.normal(40, 20 + 5 * (number % 2), SHAPE))
            circle = np.exp(1j * np.linspace(0, 2 * np.pi, 30, endpoint=False)) * (3 + number % 3)
            outlines = [
                np.column_stack([-13 + circle.real * 0.7, 18 + circle.imag * 0.8, np.full(30, 30 + 2.5 * level)])
                for level in (2, 3)
            ]
            home, patient = folder / f"case{number}", f"SxqMark{number}"
            for series, modality in (("ct", "CT"), ("pet", "PT")):
                dicom_files.series(
                    home / series, voxels, patient=patient, series=series, modality=modality, description=series
                )
            dicom_files.structure_set(home / "RS.dcm", {"GTV": outlines, "Heart": outlines}, patient, "ct")
        for path in folder.rglob("*.dcm"):
            add_secrets(path)
        for number in range(n_patients - n_broken, n_patients):
            break_one(folder / f"case{number}" / "ct", number % 4)
        return folder

    return write


def break_one(folder, kind):
    """Damage a series: a slice is missing, cut short, holds a text for a number, or has no header."""
    path = folder / "3.dcm"
    content = path.read_bytes()
    if kind == 0:
        path.unlink()
    else:
        damaged = {1: content[:-100], 2: content.replace(b"0.8\\0.7 ", b"SxqMark\\"), 3: content[: len(content) // 3]}
        assert damaged[kind] != content
        path.write_bytes(damaged[kind])


@pytest.fixture
def run(capfd, monkeypatch):
    """A function that runs a command in this process and returns its exit code and texts."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["radiodeep", *map(str, arguments)])
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGINT, previous)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        texts = capfd.readouterr()
        assert "Traceback" not in texts.err
        assert "Usage" not in texts.err
        assert "bug in radiodeep" not in texts.err
        return ended.value.code, texts.out + texts.err

    monkeypatch.delenv("RADIODEEP_DEBUG", raising=False)
    return command


@pytest.mark.parametrize("pack", ["plain", "gz", "zip", "parquet", "png", "html"])
def test_the_search_finds_secrets_in_all_that_is_written(tmp_path, pack):
    secret = b"SxqMarkTest"
    if pack == "zip":
        with zipfile.ZipFile(tmp_path / "file", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.json", secret * 100)
    elif pack == "parquet":
        pd.DataFrame({"a": ["SxqMarkTest"] * 100}).to_parquet(tmp_path / "file", compression="gzip")
    elif pack == "png":
        from PIL import Image, PngImagePlugin

        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Comment", secret.decode() * 10, zip=True)
        Image.new("L", (4, 4)).save(tmp_path / "file", "png", pnginfo=chunks)
    else:
        packed = {"plain": secret, "gz": gzip.compress(secret), "html": b"base64," + base64.b64encode(secret * 30)}
        (tmp_path / "file").write_bytes(packed[pack])
    assert leaks(tmp_path)


def test_python_tells_nothing_of_a_header(export, tmp_path, capfd):
    folder = export(6, n_broken=4)
    assert any("SxqMark0" in secrets for secrets in leaks(folder).values())
    texts = []
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        manifest = rd.folder_manifest(folder, tmp_path / "out" / "manifest.csv", roi="GTV")
        cohort = rd.read_cohort(manifest)
        for case in cohort:
            texts += [repr(case), case._repr_html_()]
        table = rd.extract_table(
            rd.RadiomicsExtractor(bin_count=8, families=["firstorder"]), cohort, cache_dir=tmp_path / "out" / "cache"
        )
        written = rd.write_cohort(cohort[:2], tmp_path / "out" / "cohort")
        texts.append(str(rd.inspect_cohort(cohort)))
        for case in folder.iterdir():
            structure_set = (case / "RS.dcm").read_bytes()
            points = re.search(rb"-1[0-9]\.[0-9]{6,}", structure_set)[0]
            (case / "RSx.dcm").write_bytes(structure_set.replace(points, b"SxqMarkA".ljust(len(points), b"B"), 1))
            texts.append(error_of(rd.Case(case / "ct", case / "RSx.dcm", case.name, roi_name="GTV")))
            texts.append(error_of(rd.Case(case / "pet", case / "RS.dcm", case.name, roi_name="GTV")))
            texts.append(error_of(rd.Case(case / "ct", case / "RS.dcm", case.name, roi_name="Liver")))
            texts.append(error_of(rd.Case(case, case / "RS.dcm", case.name, roi_name="Liver")))
    assert len(table) >= 2
    assert sum("cannot be read: it is damaged" in text for text in texts) == 6
    texts += [str(table.attrs), *(str(warning.message) for warning in given), *capfd.readouterr()]
    texts.append(table.to_csv())
    assert leaks(tmp_path / "out", *texts) == {}
    assert_plain_headers(written.parent)


def error_of(case):
    try:
        case.roi.any()
    except InputError as error:
        return str(error)
    return ""


def assert_plain_headers(folder):
    """No text in the headers of NIfTI files."""
    paths = list(folder.rglob("*.nii.gz"))
    assert paths
    for path in paths:
        header = nib.load(path).header
        texts = [header[name].tobytes().strip(b"\0") for name in ("descrip", "db_name", "aux_file", "intent_name")]
        assert texts == [b""] * 4, path
        assert len(header.extensions) == 0


@pytest.mark.slow
def test_the_commands_tell_nothing_of_a_header(export, run, tmp_path, monkeypatch):
    export(14, n_broken=4)
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    fast = ("--features", "handcrafted", "--jobs", "1", "--model", "naive-bayes")
    done = [
        run("manifest", "../export", "-o", "manifest.csv"),
        run("manifest", "../export", "-o", "m.csv", "--roi", "GTW"),
    ]
    assert [code for code, _ in done] == [1, 1]
    done.append(run("manifest", "../export", "-o", "manifest.csv", "--roi", "GTV"))
    assert done[-1][0] == 0
    manifest = pd.read_csv("manifest.csv", dtype=str)
    manifest["label"] = [str(number % 2) for number in range(len(manifest))]
    broken = manifest.iloc[:3].assign(id=["b0", "b1", "b2"], image=[f"../export/case{n}/ct" for n in (11, 12, 13)])
    pd.concat([manifest, broken]).to_csv("manifest.csv", index=False)
    for command in (
        ("labels", "manifest.csv"),
        ("validate", "manifest.csv", "--montage", "lesions.png", "-o", "cases.csv", "--jobs", "1"),
        ("extract", "manifest.csv", "-o", "features.csv", "--cache", "cache", "--sr", "sr", *fast[:4]),
        ("extract", "manifest.csv", "-o", "features.parquet", *fast[:4]),
        ("study", "manifest.csv", "-o", "study", "--cv", "2", "--cache", "cache", *fast),
        ("report", "study", "-o", "again.html"),
        ("checklist", "study", "-o", "checklist.html"),
        ("train", "manifest.csv", "-o", "model.skops", *fast),
        ("score", "model.skops", "manifest.csv", "-o", "scores.csv", "--jobs", "1"),
    ):
        done.append(run(*command))
        assert done[-1][0] in (0, 2), done[-1]
    for name in (
        "lesions.png",
        "features.csv",
        "features.errors.csv",
        "study/report.html",
        "model.skops",
        "scores.csv",
    ):
        assert (out / name).is_file(), name
    assert leaks(out, *(text for _, text in done)) == {}


@pytest.mark.slow
def test_images_of_a_download_hold_no_texts(export, tmp_path):
    """Their files and rows are named by the PatientID, by which a public collection names its patients."""
    rd.tcia_manifest(export(2), tmp_path / "out", roi="GTV")
    assert_plain_headers(tmp_path / "out")
    images = [path.read_bytes() for path in (tmp_path / "out" / "images").iterdir()]
    assert [secrets_in(content) for content in images] == [set()] * len(images)
