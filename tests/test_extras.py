"""Without the optional packages everything but networks works, and an error names the extra that is missing."""

import subprocess
import sys
import textwrap

import pytest

import radiodeep as rd
from radiodeep.exceptions import MissingExtraError
from radiodeep.extras import is_installed, named_extra, require_package

BLOCKER = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "safetensors"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Blocker())
"""
INSTALL = 'pip install "radiodeep[deep]"'


def without_torch(code, *arguments):
    """Return what code prints in a process in which torch cannot be imported."""
    script = BLOCKER + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_extra_is_named_wherever_a_network_is_asked_for():
    code, printed, error = without_torch(
        """
        import radiodeep as rd

        for name in ("DeepFeatureExtractor", "FineTuning", "CNNClassifier", "CNNRegressor", "CNNEnsemble"):
            try:
                getattr(rd, name)
            except rd.exceptions.MissingExtraError as error:
                print(name, error)
        try:
            from radiodeep.networks.architectures import build_network
        except ImportError as error:
            print("build_network", error)
        """
    )
    assert code == 0, error
    lines = printed.splitlines()
    assert len(lines) == 6
    assert all(INSTALL in line for line in lines), printed


@pytest.mark.slow
def test_all_other_public_names_need_no_torch():
    code, printed, error = without_torch(
        """
        import radiodeep as rd

        deep = {"DeepFeatureExtractor", "FineTunedFeatureExtractor", "FineTuning", "CNNClassifier", "CNNRegressor"}
        deep |= {"AutoencoderFeatures", "CNNEnsemble", "Augmentation", "OrderedTableCNN", "Training"}
        deep |= {"UNetSegmenter", "segmentation_training", "LesionGenerator", "published_networks", "classify_pictures"}
        for name in set(rd.__all__) - deep:
            getattr(rd, name)
        print(sorted(name for name in sys.modules if name.startswith("torch")))
        """
    )
    assert (code, printed) == (0, "[]\n"), error


@pytest.mark.slow
def test_a_study_a_report_and_a_saved_model_need_no_torch(tmp_path):
    code, _, error = without_torch(
        """
        import radiodeep as rd
        from sklearn.naive_bayes import GaussianNB
        from sklearn.pipeline import make_pipeline

        cohort = rd.make_phantom_cohort(8, random_state=0)
        shape = rd.RadiomicsExtractor(families=["shape"])
        model = make_pipeline(shape, rd.ReliefF(n_features_to_select=3), GaussianNB())
        result = rd.cross_validated_auc(model, cohort, cohort.labels, cv=2)
        rd.write_report(result, sys.argv[1] + "/report.html")
        rd.save_model(model.fit(cohort, cohort.labels), sys.argv[1] + "/model.skops")
        scores = rd.score_cohort(rd.load_model(sys.argv[1] + "/model.skops"), cohort)
        assert (scores["error"] == "").all()
        """,
        str(tmp_path),
    )
    assert code == 0, error
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".skops", ".joblib"])
def test_a_saved_model_with_a_network_names_the_extra(tmp_path, suffix):
    extractor = rd.DeepFeatureExtractor("radiodeep-mini", size=16)
    cohort = rd.make_phantom_cohort(2, random_state=0)
    extractor.fit_transform(cohort)
    path = rd.save_model(extractor, tmp_path / f"model{suffix}")
    code, printed, error = without_torch(
        """
        import radiodeep as rd

        try:
            rd.load_model(sys.argv[1], trusted=True)
        except rd.exceptions.MissingExtraError as error:
            print(error)
        """,
        str(path),
    )
    assert code == 0, error
    assert INSTALL in printed


def test_an_error_of_another_import_stays_as_it_is():
    with pytest.raises(ModuleNotFoundError, match="No module named 'fastparquet'") as caught, named_extra():
        raise ModuleNotFoundError("No module named 'fastparquet'", name="fastparquet")
    assert not isinstance(caught.value, MissingExtraError)


def test_a_submodule_is_named_by_its_package():
    with pytest.raises(MissingExtraError, match="the package timm, which is not installed"), named_extra():
        raise ModuleNotFoundError("No module named 'timm.models'", name="timm.models")


def test_an_installed_package_is_accepted():
    require_package("torch")
    assert is_installed("torch")
    assert not is_installed("no_such_package")
