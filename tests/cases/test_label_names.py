"""Names of labels as the tools that segment write them."""

import gzip
import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep import Case
from radiodeep.cases.label_names import label_names, organ_files
from radiodeep.exceptions import AmbiguousMaskError, FileUnreadableError, UnsupportedImageError

LABELS = np.arange(24).reshape(2, 3, 4) % 4
KNOWN = {"liver": 1, "kidney left": 2, "tumour": 3}


@pytest.fixture
def mask(tmp_path):
    """The path of a label image that has no names of its own."""
    folder = tmp_path / "study" / "labelsTr"
    folder.mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(LABELS.astype(np.uint8), np.eye(4)), folder / "case_1.nii.gz")
    return folder / "case_1.nii.gz"


def test_a_mask_without_table_has_no_names(mask):
    assert label_names(mask) == {}


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_totalsegmentator_names_labels_in_the_header(tmp_path, name, kind):
    labels = "\n".join(
        f'<Label Key="{value}" Red="1" Alpha="1"><![CDATA[{key}]]></Label>' for key, value in KNOWN.items()
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension> <VolumeInformation Index="0"> <LabelTable>'
        f"{labels}</LabelTable><VolumeType><![CDATA[Label]]></VolumeType></VolumeInformation></CaretExtension>\n    "
    )
    image = kind(LABELS.astype(np.uint8), np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, xml.encode()))
    nibabel.save(image, tmp_path / name)
    assert label_names(tmp_path / name) == KNOWN
    case = Case(tmp_path / name, tmp_path / name, "p-1", roi_name=["Liver", "tum*"])
    assert case.roi.sum() == np.isin(LABELS, [1, 3]).sum()


@pytest.mark.parametrize("damage", ["entities", "no XML", "no number"])
def test_a_header_table_that_cannot_be_trusted_is_not_used(tmp_path, damage):
    label = {"entities": b'<!ENTITY a "b"><Label Key="1">&a;</Label>', "no XML": b"<Label", "no number": b"<Label/>"}
    image = nibabel.Nifti1Image(LABELS.astype(np.uint8), np.eye(4))
    content = b"<CaretExtension>" + label[damage] + b"</CaretExtension>"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, content))
    nibabel.save(image, tmp_path / "a.nii")
    if damage == "entities":
        assert label_names(tmp_path / "a.nii") == {}
    else:
        with pytest.raises(FileUnreadableError, match=r"'a\.nii' has a table of labels in its header that cannot"):
            label_names(tmp_path / "a.nii")


def test_a_damaged_file_is_left_to_the_reader_of_voxels(mask):
    mask.write_bytes(mask.read_bytes()[:40])
    assert label_names(mask) == {}
    for content in (gzip.compress(b"\0" * 30), gzip.compress(bytes(range(256)) * 9)[:12] + b"\xff" * 400):
        mask.write_bytes(content)
        assert label_names(mask) == {}
    mask.unlink()
    with pytest.raises(FileUnreadableError, match=r"case_1\.nii\.gz' cannot be opened: No such file"):
        label_names(mask)


def segmentation(path, segments, n_layers=1):
    layer = sitk.GetImageFromArray(LABELS.astype(np.uint8))
    image = layer if n_layers == 1 else sitk.Compose([layer] * n_layers)
    for key, value in segments.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, path)
    return path


def test_slicer_names_segments_in_the_header(tmp_path):
    fields = {"Segment0_Name": "liver", "Segment0_LabelValue": "1", "Segment0_Layer": "0"}
    fields |= {"Segment10_Name": "tumour", "Segment10_LabelValue": "3", "Segment10_Layer": "0"}
    assert label_names(segmentation(tmp_path / "a.seg.nrrd", fields)) == {"liver": 1, "tumour": 3}
    assert label_names(segmentation(tmp_path / "b.seg.nrrd", {"Segment0_Name": "liver"})) == {"liver": 1}  # Slicer 4
    with pytest.raises(FileUnreadableError, match=r"'c\.seg\.nrrd' has a segment without name or number"):
        label_names(segmentation(tmp_path / "c.seg.nrrd", {"Segment0_LabelValue": "1"}))


def test_overlapping_segments_are_refused_by_their_names(tmp_path):
    fields = {f"Segment{n}_{key}": text for n in (0, 1) for key, text in (("Name", f"part {n}"), ("Layer", str(n)))}
    path = segmentation(tmp_path / "a.seg.nrrd", fields, n_layers=2)
    image = segmentation(tmp_path / "image.nrrd", {})
    for read in (label_names, lambda path: Case(image, path, "p-1", roi_name="part 0").roi):
        with pytest.raises(UnsupportedImageError, match=r"overlapping segments in 2 layers: 'part 0', 'part 1'"):
            read(path)
    old = {"Segment0_Name": "a", "Segment1_Name": "b"}
    with pytest.raises(UnsupportedImageError, match=r"overlapping segments in 2 layers: 'a', 'b'"):
        label_names(segmentation(tmp_path / "b.seg.nrrd", old, n_layers=2))


@pytest.mark.parametrize("folder", ["study", "study/labelsTr"])
@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ({"background": 0, **KNOWN}, KNOWN),
        ({"0": "background", "1": "liver", "2": "kidney left", "3": "tumour"}, KNOWN),
        (
            {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "edge": 3},
            {"whole": (1, 2, 3), "core": (2, 3), "edge": 3},
        ),
    ],
    ids=["version 2", "version 1", "regions"],
)
def test_nnunet_names_labels_in_a_folder_above(mask, folder, labels, names):
    (mask.parents[2] / folder / "dataset.json").write_text(json.dumps({"labels": labels, "file_ending": ".nii.gz"}))
    assert label_names(mask) == names


def test_a_region_of_several_labels_is_their_union(mask):
    (mask.parent / "dataset.json").write_text('{"labels": {"background": 0, "whole": [2, 3], "edge": 3}}')
    assert Case(mask, mask, "p-1", roi_name="whole").roi.sum() == (LABELS >= 2).sum()


@pytest.mark.parametrize("labels", [{"liver": "one"}, {"1": 2}, {"liver": True}])
def test_labels_of_nnunet_that_cannot_be_understood_are_an_error(mask, labels):
    (mask.parent / "dataset.json").write_text(json.dumps({"labels": labels}))
    with pytest.raises(FileUnreadableError, match=r"'dataset\.json' has labels that cannot be understood"):
        label_names(mask)


def test_monai_bundles_name_channels_whose_index_is_the_label(mask):
    def write(channels):
        outputs = {"pred": {"type": "image", "format": "segmentation", "channel_def": channels}}
        (mask.parents[1] / "configs").mkdir(exist_ok=True)
        content = json.dumps({"network_data_format": {"inputs": {}, "outputs": outputs}})
        (mask.parents[1] / "configs" / "metadata.json").write_text(content)

    write({"0": "background", "1": "spleen"})
    assert label_names(mask) == {"spleen": 1}
    write({"0": "tumour core", "1": "whole tumour"})  # probabilities of regions that overlap, not labels
    assert label_names(mask) == {}


SNAP = """# ITK-SnAP Label Description File
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "liver"
    2     0  255    0      0.5  1  1    "kidney left"
    3     0    0  255        1  1  1    "tumour"
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("case_1.txt", SNAP),
        ("labels.csv", "1,liver\n2,kidney left\n3,tumour\n"),
        ("labels.csv", "number,structure\n1,liver\n2,kidney left\n3,tumour\n"),
        ("labels.csv", "\ufeffname;value\r\nliver;1\r\nkidney left;2\r\ntumour;3\r\n"),
        ("case_1.tsv", "index\tname\tcolor\n1\tliver\tred\n2\tkidney left\tred\n3\ttumour\tred\n"),  # BIDS
        ("case_1.nii.gz.json", json.dumps(KNOWN)),
        ("case_1.json", json.dumps({"0": "background", **{str(value): key for key, value in KNOWN.items()}})),
    ],
)
def test_a_table_beside_the_mask_names_its_labels(mask, name, text):
    (mask.parent / name).write_text(text, encoding="utf-8")
    assert label_names(mask) == KNOWN


def test_the_column_of_numbers_is_that_of_numbers_in_all_rows(mask):
    (mask.parent / "labels.csv").write_text("liver,1\n2,20\n")
    assert label_names(mask) == {"liver": 1, "2": 20}


def test_json_files_about_other_things_are_passed_over(mask):
    (mask.parent / "case_1.json").write_text('{"EchoTime": 0.03, "Modality": "MR"}')  # of dcm2niix
    (mask.parent / "dataset.json").write_text('{"name": "a dataset"}')
    assert label_names(mask) == {}
    (mask.parent / "labels.csv").write_text("1,liver\n")
    assert label_names(mask) == {"liver": 1}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels.csv", "1,liver,red\n", r"is not a table of its labels: it has the row \['1', 'liver', 'red'\]"),
        ("labels.csv", "", "is not a table of its labels: no row has a number"),
        ("labels.csv", "1.0,liver\n", "is not a table of its labels: no row has a number"),
        ("labels.csv", "1,10\n2,20\n", "does not show which column has the numbers of labels"),
        ("case_1.json", '{"1": "2", "2": "1"}', "has labels that cannot be understood"),
        ("labels.csv", "1,liver\n1,spleen\n", "calls 1 both 'liver' and 'spleen'"),
        ("labels.csv", '1,"liver\n2,spleen\n', "is not a table of labels: unexpected end of data"),
        ("labels.csv", "1,liver\n2,liver\n", "calls both 1 and 2 'liver'"),
        ("dataset.json", "{", "is not JSON"),
        ("labels.csv", "1," + "x" * 200_000, "is not a table of labels: field larger"),
        ("labels.csv", "1,liver" + " " * 2**24, "is too large for a table of labels"),
        ("dataset.json", "[" * 100_000, "is not JSON"),
    ],
)
def test_a_wrong_table_is_an_error(mask, name, text, message):
    (mask.parent / name).write_text(text)
    with pytest.raises(FileUnreadableError, match=rf"'{name}' .*{message}"):
        label_names(mask)


def test_a_folder_of_organs_names_them_by_their_files(mask):
    folder = mask.parent
    for name in ("statistics.json", "preview_total.png", "._liver.nii.gz"):
        (folder / name).write_bytes(b"x")
    (folder / "spleen.seg.nrrd").write_bytes(b"x")
    assert organ_files(folder) == {"case_1": mask, "spleen": folder / "spleen.seg.nrrd"}
    (folder / "spleen.nii").write_bytes(b"x")
    with pytest.raises(AmbiguousMaskError, match=r"'spleen\.nii' and 'spleen\.seg\.nrrd' in .* are both called"):
        organ_files(folder)
