"""Every kind of outcome can be studied, and models of it trained and used, from the command line."""

import re

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd

QUICK = ["--features", "handcrafted", "--jobs", 1]
BAYES = ["--model", "naive-bayes"]


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Survival of the 16 cases of the other tests, and of 4 new ones."""
    folder = tmp_path_factory.mktemp("survival")
    cohort = rd.make_phantom_cohort(20, random_state=10, survival=True)
    return rd.write_cohort(cohort[:16], folder / "known"), rd.write_cohort(cohort[16:], folder / "new")


@pytest.fixture
def features(tmp_path):
    """A table of 3 features of 45 cases, of which the first goes with all outcomes."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(45, 3)).round(3), columns=["contrast", "volume", "entropy"])
    frame.insert(0, "id", [f"c{number}" for number in range(45)])
    frame["grade"] = np.array(["low", "mid", "high"])[np.digitize(frame["contrast"], [-0.5, 0.5])]
    frame["dose"] = (10 + 3 * frame["contrast"] + 2 * rng.normal(size=45)).round(2)
    frame["months"] = rng.exponential(20 * np.exp(-frame["contrast"])).round(1) + 0.5
    frame["death"] = np.where(rng.random(45) < 0.7, "yes", "no")
    return frame


def study_of(radiodeep, frame, folder, *options):
    others = [name for name in ("grade", "dose", "months", "death") if name in frame.columns and name not in options]
    dropped = [text for name in others for text in ("--drop", name)]
    frame.to_csv(folder / "t.csv", index=False)
    return radiodeep("study", folder / "t.csv", "-o", folder / "out", "--cv", 3, "--jobs", 1, *dropped, *options)


def written(folder, name):
    return pd.read_csv(folder / "out" / f"{name}_all_features.csv")


def test_survival_is_studied_trained_and_scored_without_an_option(followed, cache, tmp_path, radiodeep, record_of):
    known, new = followed
    shared = ["--cache", cache, *QUICK]
    done = radiodeep("study", known, "-o", tmp_path / "out", "--cv", 2, "--model", "cox", *shared)
    assert done.code == 0, done.err
    assert "The manifest has time and event and no label, so survival is predicted." in done.out
    assert "16 cases, 9 events" in done.out
    settings = record_of(tmp_path / "out")
    assert settings["outcome"] == "survival"
    assert "CoxRegression" in str(settings["models"]["handcrafted"])
    assert "UnivariateCox" in str(settings["models"]["handcrafted"])
    measures = pd.read_csv(tmp_path / "out" / "measures.csv", index_col="measure")
    assert {"C", "Uno's C", "integrated Brier score"} <= set(measures.index)
    value = measures.loc["Uno's C", "value"]
    assert re.search(rf"^Uno's C +{value:.3g}$", done.out, re.MULTILINE)
    predictions = pd.read_csv(tmp_path / "out" / "predictions_handcrafted.csv")
    assert {"event", "time", "score", f"survival_{settings['horizon']:g}"} <= set(predictions.columns)

    done = radiodeep("train", known, "-o", tmp_path / "m.skops", "--horizon", 12, *shared)
    assert done.code == 0, done.err
    assert "Trained on 16 cases with 9 events" in done.out
    assert "give --horizon to 'radiodeep score' as well" in done.out
    done = radiodeep("score", tmp_path / "m.skops", new, "-o", tmp_path / "s.csv", "--horizon", 12, "--jobs", 1)
    assert done.code == 0, done.err
    scores = pd.read_csv(tmp_path / "s.csv")
    assert scores["survival_12"].between(0, 1).all()
    assert scores["risk"].rank().tolist() == (-scores["survival_12"]).rank().tolist()


def test_a_classifier_of_a_horizon_is_a_model_of_survival(followed, cache, tmp_path, radiodeep):
    options = [*BAYES, "--selector", "relieff", "--cache", cache, *QUICK]
    done = radiodeep("train", followed[0], "-o", tmp_path / "m.skops", *options)
    assert done.code == 1
    assert "relieff needs the time until which events count, e.g. --horizon 24" in done.err
    done = radiodeep("train", followed[0], "-o", tmp_path / "m.skops", "--horizon", 20, *options)
    assert done.code == 0, done.err
    done = radiodeep("score", tmp_path / "m.skops", followed[1], "-o", tmp_path / "s.csv", "--jobs", 1)
    assert done.code == 0, done.err
    assert "Scored 4 of 4 cases; wrote" in done.out
    assert "survival_20" in pd.read_csv(tmp_path / "s.csv").columns


def test_a_table_that_was_extracted_keeps_the_follow_up(followed, cache, tmp_path, radiodeep):
    done = radiodeep("extract", followed[0], "-o", tmp_path / "t.csv", "--cache", cache, *QUICK)
    assert done.code == 0, done.err
    shared = ["--cv", 2, "--jobs", 1, "--model", "cox"]
    done = radiodeep("study", tmp_path / "t.csv", "-o", tmp_path / "out", *shared)
    assert done.code == 0, done.err
    assert "The table has time and event and no label, so survival is predicted." in done.out
    assert "(not features: id, time, event)" in done.out
    assert "16 cases, 9 events" in done.out


def test_cases_of_unknown_follow_up_are_left_out_by_name(followed, cache, tmp_path, radiodeep):
    frame = pd.read_csv(followed[0], dtype=str)
    frame.loc[3, ["time", "event"]] = ""
    manifest = followed[0].parent / "blank.csv"
    frame.to_csv(manifest, index=False)
    done = radiodeep("train", manifest, "-o", tmp_path / "m.skops", "--cache", cache, *QUICK)
    assert done.code == 2
    assert "phantom-003: it has no follow-up" in done.err


def test_survival_of_a_table_is_in_the_columns_that_are_named(features, tmp_path, radiodeep):
    done = study_of(radiodeep, features, tmp_path, "--time", "months", "--event", "death", "--model", "cox")
    assert done.code == 0, done.err
    assert f"45 cases, {(features['death'] == 'yes').sum()} events" in done.out
    predictions = written(tmp_path, "predictions")
    assert predictions["time"].tolist() == features["months"].tolist()
    assert predictions["event"].tolist() == (features["death"] == "yes").tolist()
    for wrong, message in (
        ({"months": 0}, "'t.csv': the column 'months' must hold a number > 0. Got '0'"),
        ({"death": "maybe"}, "the column 'death' must hold 1 or 0, true or false, yes or no. Got 'maybe'"),
    ):
        done = study_of(radiodeep, features.assign(**wrong), tmp_path, "--time", "months", "--event", "death")
        assert done.code == 1
        assert message in done.err


def test_a_table_with_time_and_event_and_no_label_is_one_of_survival(features, tmp_path, radiodeep):
    frame = features.rename(columns={"months": "time", "death": "event"})
    done = study_of(radiodeep, frame, tmp_path, "--horizon", 12, "--model", "cox")
    assert done.code == 0, done.err
    assert "(not features: id, grade, dose, time, event)" in done.out
    assert "horizon 12" in done.out
    done = study_of(radiodeep, frame.rename(columns={"dose": "label"}), tmp_path, "--model", "ridge")
    assert "rank correlation, numbers" in done.out  # the label comes first; time and event are no features
    assert "(not features: id, grade, label, time, event)" in done.out
    done = study_of(radiodeep, frame, tmp_path, "--label", "dose", "--outcome", "survival")
    assert "--label belongs to classes and numbers, --time and --event to survival. Leave out --label" in done.err
    done = study_of(radiodeep, frame, tmp_path, "--time", "time", "--outcome", "classes")
    assert "Leave out --time, or choose another --outcome" in done.err


def test_a_column_of_times_without_events_is_a_feature(features, tmp_path, radiodeep):
    frame = features.rename(columns={"volume": "time"})
    done = study_of(radiodeep, frame, tmp_path, "--label", "dose", "--model", "ridge")
    assert done.code == 0, done.err
    assert "x 3 features (not features: id, grade, dose, months, death)" in done.out


def test_numbers_of_a_table_are_predicted(features, tmp_path, radiodeep):
    done = study_of(radiodeep, features, tmp_path, "--label", "dose")
    assert done.code == 0, done.err
    assert "rank correlation, numbers" in done.out
    predictions = written(tmp_path, "predictions")
    assert np.corrcoef(predictions["prediction"], features["dose"])[0, 1] > 0.6
    assert not [name for name in predictions.columns if name.startswith("probability")]
    assert "Lin's concordance" in pd.read_csv(tmp_path / "out" / "measures.csv")["measure"].tolist()
    done = study_of(radiodeep, features, tmp_path, "--label", "dose", "--model", "cox")
    assert "A model of numbers must be one of auto, ridge, random-forest, svm. Got cox" in done.err


def test_numbers_of_images_are_trained_and_scored(known, cache, tmp_path, radiodeep):
    manifest = known.parent / "volumes.csv"
    frame = pd.read_csv(known).assign(label=np.linspace(1.5, 9, 16))
    frame.to_csv(manifest, index=False)
    done = radiodeep("train", manifest, "-o", tmp_path / "m.skops", "--cache", cache, *QUICK)
    assert done.code == 0, done.err
    assert "Trained on 16 cases with labels from 1.5 to 9" in done.out
    done = radiodeep("score", tmp_path / "m.skops", known, "-o", tmp_path / "s.csv", "--cache", cache, "--jobs", 1)
    assert done.code == 0, done.err
    scores = pd.read_csv(tmp_path / "s.csv")
    assert scores.columns.tolist() == ["id", "prediction", "outside_training_range", "error"]
    assert scores["prediction"].between(-10, 20).all()


@pytest.mark.slow
def test_several_classes_have_a_probability_each(features, tmp_path, radiodeep, record_of):
    done = study_of(radiodeep, features, tmp_path, "--label", "grade")
    assert done.code == 0, done.err
    assert "M of 3 classes (Hand-Till), several classes" in done.out
    assert "balanced accuracy" in done.out
    predictions = written(tmp_path, "predictions")
    columns = [f"probability_{name}" for name in ("high", "low", "mid")]
    assert predictions[columns].sum(axis=1).round(6).tolist() == [1.0] * 45
    assert record_of(tmp_path / "out")["outcome"] == "several classes"


@pytest.mark.slow
def test_ordered_classes_of_text_need_their_order(features, tmp_path, radiodeep):
    ordered = ["--label", "grade", "--outcome", "ordered", *BAYES]
    done = study_of(radiodeep, features, tmp_path, *ordered)
    assert done.code == 1
    assert "such as --positive high,low,mid. Got no order" in done.err
    done = study_of(radiodeep, features, tmp_path, *ordered, "--positive", "low,mid,high", "--cv", "leave-one-out")
    assert done.code == 0, done.err
    assert "quadratic weighted kappa" in done.out
    scores = written(tmp_path, "scores_of_repeats")
    assert scores.columns.tolist()[:5] == ["id", "0_low", "0_mid", "0_high", "1_low"]
    assert "Order of the classes: low &lt; mid &lt; high." in (tmp_path / "out" / "report.html").read_text()


def test_repeated_halves_come_first_and_leave_one_out_has_no_interval(features, tmp_path, radiodeep):
    features["patient"] = [f"p{number // 2}" for number in range(45)]
    features["late"] = (features["contrast"] > 0).astype(int)
    done = study_of(radiodeep, features, tmp_path, "--label", "late", "--cv", "leave-one-out", *BAYES)
    assert done.code == 0, done.err
    assert "45 cases of 23 patients" in done.out
    lines = done.out.splitlines()
    header = next(number for number, line in enumerate(lines) if "2-fold, 50 repeats" in line)
    assert (
        lines[header + 1].split("  ")[-3:-1] == ["leave-one-group-out", "accuracy"] or "leave-one" in lines[header + 1]
    )
    assert re.search(r"^all features  0\.\d{3} \(0\.\d{3}-[01]\.\d{3}\)  0\.\d{3} ", done.out, re.MULTILINE)
    assert max(map(len, lines[header:-1])) < 80
    assert "Models of 2-fold, 50 repeats learn from 22 to 23 cases." in done.out
    assert "Models of leave-one-group-out learn from 43 to 44 cases." in done.out
