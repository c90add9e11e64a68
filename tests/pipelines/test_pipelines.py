"""Each pipeline runs on the phantoms of its study and on manifests, and writes what it promises."""

import importlib.util
import re

import pandas as pd
import pytest

import radiodeep as rd

few_cases = pytest.mark.filterwarnings("ignore::radiodeep.exceptions.RadiodeepWarning")  # so few say what is wrong


def load(repository, name):
    specification = importlib.util.spec_from_file_location(name, repository / "pipelines" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(repository, name, folder, *arguments):
    load(repository, name).main([*map(str, arguments), "--output", str(folder / "study")])
    return folder / "study"


def written(name, n_cases, folder):
    return rd.write_cohort(rd.make_study_cohort(name, n_cases), folder / name)


@pytest.mark.slow
@few_cases
def test_adenocarcinoma_survival_has_a_report_of_classes_and_one_of_times(repository, tmp_path, capsys):
    quick = ["--n-cases", 12, "--n-repeats", 1, "--n-jobs", 1]
    study = run(repository, "adenocarcinoma_survival", tmp_path, *quick)
    printed = capsys.readouterr().out
    models = ("combined", "deep", "handcrafted", "deep, cropped, tree")
    assert all(re.search(rf"^{model}: AUC [01]\.\d\d", printed, re.MULTILINE) for model in models)
    assert printed.count("leave-one-out: AUC") == 4
    assert all(re.search(rf"^{model}: C [01]\.\d\d", printed, re.MULTILINE) for model in models[:3])
    assert {path.name for path in study.iterdir()} >= {"report.html", "survival.html"}


@pytest.mark.slow
@few_cases
def test_nodule_malignancy_transfer_tests_on_the_second_manifest(repository, tmp_path, capsys):
    manifests = [written("nodules-1", 16, tmp_path), written("nodules-2", 14, tmp_path)]
    study = run(repository, "nodule_malignancy_transfer", tmp_path, *manifests, "--n-trees", 5, "--n-jobs", 1)
    printed = capsys.readouterr().out
    assert printed.count("n=14 (5 positive) (holdout)") >= 3
    assert "accuracy, combined against handcrafted: accuracy" in printed
    assert (study / "report.html").is_file()


@pytest.mark.slow
@few_cases
def test_automatic_masks_are_judged_by_their_overlap_and_by_the_features(repository, tmp_path, capsys):
    study = run(repository, "automatic_masks", tmp_path, "--n-cases", 8, "--n-repeats", 1)
    printed = capsys.readouterr().out
    assert re.search(r"^41 % of maximum  0\.\d\d \(0", printed, re.MULTILINE)
    assert "8 cases of 8 patients, 5-fold" in printed
    assert "Expert masks in training, automatic ones in tests: AUC" in printed
    assert {path.name for path in study.iterdir()} == {"masks.csv", "montage.png", "features.csv", "features.png"}
    assert len(pd.read_csv(study / "masks.csv")) == 3 * 8


@pytest.mark.parametrize("name", ["nodule_malignancy_transfer", "nodule_malignancy_cnn_ensemble", "score_new_cases"])
def test_one_manifest_where_two_are_needed_is_refused(repository, name, capsys):
    with pytest.raises(SystemExit):
        load(repository, name).main(["one.csv"])
    assert "give two manifests, or none for phantoms" in capsys.readouterr().err


@pytest.mark.slow
@few_cases
def test_nodule_malignancy_cnn_ensemble_trains_each_network_once(repository, tmp_path, capsys):
    quick = ["--n-cases", 12, "--epochs", 1, "--views", 1, "--n-seeds", 2]
    study = run(repository, "nodule_malignancy_cnn_ensemble", tmp_path, *quick)
    printed = capsys.readouterr().out
    models = ("mean", "median", "vote")
    assert all(f"networks, {rule}: AUC" in printed for rule in models)
    assert "networks and radiomics" in printed
    assert len(list((study / "checkpoints").iterdir())) == 6  # three architectures, two seeds
    assert (study / "report.html").is_file()


@pytest.mark.slow
@few_cases
def test_glioma_survival_takes_a_manifest_of_several_sequences(repository, tmp_path, capsys):
    manifest = written("glioma", 8, tmp_path)
    study = run(repository, "glioma_survival", tmp_path, manifest, "--iterations", 1, "--n-trees", 5, "--n-jobs", 1)
    printed = capsys.readouterr().out
    for model in ("habitats and deep", "habitats", "deep", "handcrafted", "fine-tuned"):
        assert f"\n{model}: AUC" in printed
    assert (study / "report.html").is_file()


@pytest.mark.slow
@few_cases
def test_skin_lesion_taxonomy_scores_the_three_classes(repository, tmp_path, capsys):
    quick = ["--n-cases", 36, "--epochs", 1, "--views", 1, "--n-jobs", 1]
    study = run(repository, "skin_lesion_taxonomy", tmp_path, *quick)
    printed = capsys.readouterr().out
    assert "9 diagnoses in the classes benign, malignant, non-neoplastic" in printed
    assert len(re.findall(r"^(?:network|radiomics), (?:taxonomy|classes): M \d", printed, re.MULTILINE)) == 4
    assert (study / "report.html").is_file()


@pytest.mark.slow
@few_cases
def test_vessel_biomarker_regression_says_how_far_numbers_agree(repository, tmp_path, capsys):
    quick = ["--n-cases", 24, "--epochs", 1, "--views", 1, "--n-jobs", 1]
    study = run(repository, "vessel_biomarker_regression", tmp_path, *quick)
    printed = capsys.readouterr().out
    assert re.search(r"^calibre_mm: ICC -?\d\.\d\d", printed, re.MULTILINE)
    assert re.search(r"^tortuosity: ICC -?\d\.\d\d", printed, re.MULTILINE)
    assert {path.name for path in study.iterdir()} == {"calibre_mm.html", "tortuosity.html"}


@pytest.mark.slow
@few_cases
def test_handwritten_digits_compares_an_ensemble_with_single_networks(repository, tmp_path, capsys):
    quick = ["--n-digits", 150, "--n-networks", 2, "--epochs", 1]
    study = run(repository, "handwritten_digits", tmp_path, *quick)
    errors = re.findall(r"^(.*): error (\d+\.\d+)%", capsys.readouterr().out, re.MULTILINE)
    names = ["ensemble of 2", "contest network", "contest network, no distortions", "teaching network"]
    assert [name for name, _ in errors] == names
    assert (study / "report.html").is_file()


@pytest.mark.slow
@few_cases
def test_radiogenomics_ordered_table_reads_genes_by_chromosome(repository, tmp_path, capsys):
    study = run(repository, "radiogenomics_ordered_table", tmp_path, "--n-cases", 30, "--epochs", 1, "--n-jobs", 1)
    printed = capsys.readouterr().out
    names = ["chromosomes", "Spearman clusters", "forest", "logistic regression"]
    assert re.findall(r"^(.*): AUC", printed, re.MULTILINE) == names
    assert (study / "report.html").is_file()


def test_digits_of_other_widths_keep_their_height_and_their_middle(repository):
    images_of = load(repository, "handwritten_digits").images_of
    square = pd.DataFrame(
        [[16.0 if 2 <= row < 6 and 2 <= column < 6 else 0.0 for row in range(8) for column in range(8)]]
    )
    for width, expected in ((1.0, 14), (0.7, 10), (1.3, 18)):
        image = images_of(square, width)[0] > 0.5
        assert image.any(axis=1).sum() == 14
        assert image.any(axis=0).sum() == pytest.approx(expected, abs=1)
        assert (image == image[:, ::-1]).all()


@pytest.mark.slow
@few_cases
def test_autoencoder_features_draws_what_each_kind_keeps(repository, tmp_path, capsys):
    quick = ["--n-cases", 16, "--n-features", 2, "--epochs", 1, "--n-folds", 2, "--dimensions", 3]
    study = run(repository, "autoencoder_features", tmp_path, *quick)
    printed = capsys.readouterr().out
    kinds = ("plain", "denoising", "variational")
    for model in (*(f"{kind} autoencoder" for kind in kinds), "packaged network", "handcrafted"):
        assert re.search(rf"^{model}: AUC [01]\.\d\d", printed, re.MULTILINE)
    assert {path.name for path in study.iterdir()} >= {*(f"{kind}.svg" for kind in kinds), "report.html"}


@pytest.mark.slow
@few_cases
def test_multi_image_survival_reads_images_and_facts_of_a_manifest(repository, tmp_path, capsys):
    manifest = written("sarcoma", 20, tmp_path)
    study = run(repository, "multi_image_survival", tmp_path, manifest, "--n-repeats", 2, "--n-jobs", 1)
    printed = capsys.readouterr().out
    for model in ("clinical", "MR", "PET", "images", "images and clinical"):
        assert re.search(rf"^{model}: C [01]\.\d\d", printed, re.MULTILINE)
    assert "Uno's C" in printed
    assert (study / "report.html").is_file()


def test_score_new_cases(repository, tmp_path):
    study = run(repository, "score_new_cases", tmp_path, "--n-cases", 16)
    scores = pd.read_csv(study / "scores.csv")
    assert scores["probability_1"].between(0, 1).all()
    assert scores["id"].str.startswith("nodules-2").all()
    assert (study / "model.skops").is_file()


@pytest.mark.slow
@few_cases
def test_large_cohort_dask_gives_the_numbers_of_one_process(repository, tmp_path, capsys):
    study = run(repository, "large_cohort_dask", tmp_path, "--n-cases", 20)
    printed = capsys.readouterr().out
    assert "20 cases on 2 workers" in printed
    assert "AUC" in printed
    cohort = rd.read_cohort(study / "phantoms" / "manifest.csv")
    expected = rd.extract_table(rd.RadiomicsExtractor(bin_count=32), cohort)
    written = pd.read_csv(study / "features.csv", index_col="id")
    pd.testing.assert_frame_equal(written, expected, rtol=1e-12)
    assert (pd.read_csv(study / "scores.csv")["id"] == cohort.ids).all()


@pytest.mark.slow
def test_imbalanced_study(repository, tmp_path, capsys):
    cohort = rd.make_phantom_cohort(60, random_state=0)
    positive = [place for place, label in enumerate(cohort.labels) if label == 1]
    few = cohort[[place for place in range(60) if place not in positive[10:]]]
    table = rd.extract_table(rd.RadiomicsExtractor(families=["glcm"], bin_count=16), few)
    table.assign(label=few.labels).to_csv(tmp_path / "features.csv")
    quick = ["--n-repeats", 1, "--n-jobs", 1]
    study = run(repository, "imbalanced_study", tmp_path, tmp_path / "features.csv", *quick)
    assert capsys.readouterr().out.count("at specificity") == 4
    assert len(pd.read_csv(study / "comparison.csv")) == 3


@pytest.mark.slow
@few_cases
def test_generated_lesions_are_drawn_and_compared(repository, tmp_path, capsys):
    study = run(repository, "generated_lesions", tmp_path, "--epochs", 1, "--width", 4, "--n-trees", 5)
    printed = capsys.readouterr().out
    assert "of real halves to each other" in printed
    assert all(re.search(rf"^{model} +AUC [01]\.\d\d", printed, re.MULTILINE) for model in ("oversampled", "generated"))
    assert (study / "sheet.png").is_file()


@pytest.mark.slow
@few_cases
def test_imbalanced_study_makes_a_cohort_of_few_positive_cases(repository, tmp_path, capsys):
    study = run(repository, "imbalanced_study", tmp_path, "--n-repeats", 1, "--n-jobs", 1)
    assert "111 cases, 10 of them positive" in capsys.readouterr().out
    assert (study / "report.html").is_file()


@pytest.mark.slow
@few_cases
def test_picture_classes_compares_frozen_tuned_and_new_networks(repository, tmp_path, capsys):
    study = run(repository, "picture_classes", tmp_path, "--n-pictures", 20, "--epochs", 1, "--n-jobs", 1)
    printed = capsys.readouterr().out
    for model in ("frozen features", "last layers tuned", "all layers tuned", "from scratch"):
        assert re.search(rf"^{model}: AUC [01]\.\d\d", printed, re.MULTILINE)
    assert len(list((study / "pictures" / "ring").iterdir())) == 10
    assert (study / "report.html").is_file()


@pytest.mark.slow
@few_cases
def test_tumour_segmentation_compares_a_network_with_classical_methods(repository, tmp_path, capsys):
    quick = ["--n-cases", 6, "--folds", 2, "--epochs", 1, "--spacing", 3]
    study = run(repository, "tumour_segmentation", tmp_path, *quick)
    printed = capsys.readouterr().out
    for name in ("U-Net", "threshold 41 %", "region growing", "Chan-Vese", "random walker"):
        assert re.search(rf"^{name} +[01]\.\d\d \(", printed, re.MULTILINE)
    assert "the best baseline: Dice" in printed
    assert "ICC" in printed
    assert {path.name for path in study.iterdir()} >= {"segmenter.skops", "montage.png", "checkpoints"}


@pytest.mark.slow
@few_cases
def test_low_dose_denoising_prints_what_comes_back(repository, tmp_path, capsys):
    quick = ["--n-cases", 5, "--n-jobs", 1, "--methods", "wiener"]
    study = run(repository, "low_dose_denoising", tmp_path, *quick)
    assert re.search(r"^wiener +[01]\.\d\d", capsys.readouterr().out, re.MULTILINE)
    shares = pd.read_csv(study / "denoising.csv", index_col="method")
    assert list(shares.index) == ["no denoising", "wiener"]
    assert shares.to_numpy().min() >= 0
    assert shares.to_numpy().max() <= 1


@pytest.mark.slow
def test_train_denoisers_goes_on_after_a_kill_with_the_same_weights(repository, tmp_path):
    quick = ["--n-images", "32", "--epochs", "2"]
    program = load(repository, "train_denoisers")
    contents = []
    for folder in ("whole", "killed"):
        if folder == "killed":
            (tmp_path / "killed").mkdir()
            for file in (tmp_path / "whole").glob("dncnn-*.checkpoint"):  # the first network is not trained again
                (tmp_path / "killed" / file.name).write_bytes(file.read_bytes())
        program.main([*quick, "--output", str(tmp_path / folder)])
        contents.append((tmp_path / folder / "denoisers.safetensors").read_bytes())
    assert contents[0] == contents[1]
    assert len(contents[0]) < 1e6
