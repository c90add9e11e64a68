"""The public names, and that importing them is cheap."""

import subprocess
import sys

import pytest

import radiodeep


def test_every_public_name_can_be_imported():
    for name in radiodeep.__all__:
        assert getattr(radiodeep, name) is not None


def test_public_names_are_those_of_the_design():
    promised = {
        "Case", "Cohort", "read_cohort", "make_phantom_cohort", "RadiomicsExtractor", "DeepFeatureExtractor",
        "extract_table", "ReliefF", "SymmetricUncertainty", "cross_validated_auc", "holdout_auc",
        "auc_with_confidence", "compare_auc", "compare_accuracy", "write_report", "save_model", "load_model",
        "score_cohort",
        "score_to_file",
    }  # fmt: skip
    assert promised <= set(radiodeep.__all__)
    assert set(radiodeep.__all__) <= set(dir(radiodeep))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Radiomics'"):
        radiodeep.Radiomics  # noqa: B018


def test_importing_radiodeep_loads_no_heavy_package():
    heavy = ["torch", "timm", "matplotlib", "sklearn", "pandas", "SimpleITK"]
    code = f"import radiodeep, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_radiodeep_takes_under_half_a_second():
    code = "import time; start = time.process_time(); import radiodeep; print(time.process_time() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.5
