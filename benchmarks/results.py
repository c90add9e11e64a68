"""Studies of public data and of phantoms -> their sections of data/RESULTS.md.

    python benchmarks/results.py [NAME ...] [--n-jobs 2]

The data are found by RADIODEEP_REFERENCE_DATA (default ../shared/data). Each section lies between two comments with
its name, and only the sections that are named are made again. All of them take about an hour on two cores.
"""

import argparse
import os
import re
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import radiodeep as rd

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "data" / "RESULTS.md"
DATA = Path(os.environ.get("RADIODEEP_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
PUBLISHED_FOLDS = {"n_splits": 10, "n_repeats": 1, "random_state": 463}
LOGISTIC = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
TEXTURE = ["firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]
FOREST = RandomForestClassifier(300, random_state=0)


def best_of_each(heads, model):
    """Return a model of each kind of features, and one of all of them together."""
    models = {name: make_pipeline(head, model) for name, head in heads.items()}
    return models | {"combined": make_pipeline(make_union(*heads.values()), model)}


def lidc_nodules(volumes=False):
    """Return 882 solid lung nodules without their surroundings, each as its largest slice or as all of its slices."""
    with np.load(DATA / "lidc_nodule_slices" / "lidc882_slices64.npz", allow_pickle=True) as file:
        stored = dict(file)  # each access to the file unpacks an array again
    slices = pd.DataFrame({name: stored[name] for name in ("nodule_index", "slice_index")})
    slices["area"] = (stored["images"] > 0).sum(axis=(1, 2))
    cases = []
    for nodule, of_nodule in slices.groupby("nodule_index"):
        if volumes:
            image = np.pad(stored["images"][of_nodule.sort_values("slice_index").index], ((1, 1), (0, 0), (0, 0)))
        else:
            image = stored["images"][of_nodule["area"].idxmax()]
        exam = str(stored["exam_id"][nodule])
        facts = {"id": f"{exam} {stored['nodule_id'][nodule]}", "patient": exam, "label": int(stored["label"][nodule])}
        cases.append(rd.Case(image, image > 0, spacing_mm=(1.0,) * image.ndim, **facts))
    return rd.Cohort(cases)


def lidc(n_jobs):
    """Return the study of 882 solid lung nodules, each by its largest slice."""
    cohort = lidc_nodules()
    heads = {
        "handcrafted": rd.RadiomicsExtractor(bin_count=32, families=["shape2D", *TEXTURE]),
        "deep": rd.DeepFeatureExtractor(),
    }
    models = best_of_each(heads, FOREST)
    results = rd.cross_validate_models(
        models, cohort, cohort.labels, cv=5, groups=cohort.patients, n_repeats=2, n_jobs=n_jobs
    )
    quick = best_of_each(heads, LOGISTIC)["combined"]
    controls = rd.negative_controls(
        {"combined": quick}, cohort, cohort.labels, cv=5, groups=cohort.patients, n_repeats=2, n_jobs=n_jobs
    )
    intro = (
        "Published on NLST (systems C to H): handcrafted .776 and deep .751 accuracy, AUC .78 (train 261, test 237); "
        "ensembles of CNNs AUC .91 to .96. NLST needs an application, so such models are shown on the solid nodules "
        f"of LIDC-IDRI here: {len(cohort)} nodules of {len(set(cohort.patients))} exams, {int(np.sum(cohort.labels))} "
        "rated malignant, largest slice with the surroundings removed, forest of 300 trees, 5-fold x 2 by exam. "
        "The controls are those of a ridge logistic regression on the same features."
    )
    return intro, results, "combined", controls


def lidc_ensemble(n_jobs):
    """Return networks trained from scratch on half of the exams, their mean, and both with radiomics."""
    cohort = lidc_nodules(volumes=True)
    exams = np.random.default_rng(0).permutation(sorted(set(cohort.patients)))
    is_first = np.isin(cohort.patients, exams[: len(exams) // 2])
    train, test = (
        rd.Cohort([case for case, chosen in zip(cohort, which, strict=True) if chosen])
        for which in (is_first, ~is_first)
    )
    settings = {"epochs": 8, "n_views": 4, "precision": "auto"}
    views = {"arch1": {}, "arch2": {"window": "crop"}, "arch3": {"slice": "2.5d"}}
    radiomics = make_pipeline(rd.RadiomicsExtractor(bin_count=32), SimpleImputer(strategy="median"), FOREST)
    results = {}
    with TemporaryDirectory() as checkpoints:
        members = [
            rd.CNNClassifier(name, **view, **settings, checkpoint_dir=checkpoints) for name, view in views.items()
        ]
        both = VotingClassifier([("networks", rd.CNNEnsemble(members)), ("radiomics", radiomics)], voting="soft")
        models = {"mean and radiomics": both, "mean of three": rd.CNNEnsemble(members), "radiomics": radiomics}
        for name, model in {**models, **dict(zip(views, members, strict=True))}.items():
            results[name] = rd.holdout_auc(model, train, train.labels, test, test.labels, positive=1)
    intro = (
        "Published on NLST (systems E to H): .82, .86 and .87 each, their mean .94. Here three networks with different "
        f"views of the lesion (box, surroundings, three slices), one seed, 8 epochs of 4 views: {len(train)} nodules "
        f"of LIDC-IDRI to train, {len(test)} of other exams to test. The surroundings are removed in these data."
    )
    return intro, results, "mean and radiomics", None


def sarcoma(image, n_jobs):
    """Return the study of lung metastases of soft-tissue sarcomas by PET or MR."""
    pet = pd.read_csv(DATA / "sts_pet" / "manifest.csv")
    folder = DATA / f"sts_{image}"
    if image == "mr":
        pet = pet[[(folder / f"{name}_image.nii.gz").exists() for name in pet["id"]]]
        pet = pet.assign(image=[f"{name}_image.nii.gz" for name in pet["id"]])
        pet = pet.assign(mask=[f"{name}_mask.nii.gz" for name in pet["id"]])
    cohort = rd.Cohort.from_frame(pet, folder=folder)
    heads = {"handcrafted": rd.RadiomicsExtractor(bin_count=32), "deep": rd.DeepFeatureExtractor()}
    models = best_of_each(heads, LOGISTIC)
    results = rd.cross_validate_models(models, cohort, cohort.labels, cv=2, n_repeats=50, n_jobs=n_jobs)
    controls = rd.negative_controls(
        {"combined": models["combined"]}, cohort, cohort.labels, cv=2, n_repeats=50, n_jobs=n_jobs
    )
    intro = (
        f"{'FDG-PET' if image == 'pet' else 'T1 MR'} of {len(cohort)} soft-tissue sarcomas (TCIA), "
        f"{int(np.sum(cohort.labels))} with lung metastases; ridge logistic regression on all features, halves x 50. "
        "Published for PET and MR together, with features chosen among 9,216 (Vallieres 2015): AUC .984 in bootstrap "
        "samples; leave-one-out with twelve first-order numbers and a forest: .80."
    )
    return intro, results, "combined", controls


def sarcoma_survival(n_jobs):
    """Return the survival of patients with soft-tissue sarcoma, by clinical columns and by PET."""
    clinical = pd.read_csv(DATA / "sts_mr" / "clinical.csv")
    frame = pd.read_csv(DATA / "sts_pet" / "manifest.csv").drop(columns="label").merge(clinical, on="patient")
    frame = frame.rename(columns={"days_to_last_follow_up": "time", "died": "event"})
    cohort = rd.Cohort.from_frame(frame, folder=DATA / "sts_pet")
    facts = rd.ClinicalColumns(["age", "sex", "grade", "histology"])
    heads = {"clinical": facts, "PET": rd.RadiomicsExtractor(bin_count=32)}
    models = best_of_each(heads, make_pipeline(StandardScaler(), rd.CoxRegression(alpha=1.0)))
    results = rd.cross_validate_models(models, cohort, cohort.survival, cv=2, n_repeats=50, n_jobs=n_jobs)
    intro = (
        f"Overall survival of {len(cohort)} patients with soft-tissue sarcoma, {int(cohort.survival['event'].sum())} "
        "deaths: age, sex, grade and histology, against features of FDG-PET; ridge Cox regression, halves x 50. "
        "Values are C indices."
    )
    return intro, results, "combined", None


def phantoms(n_jobs):
    """Return the phantom cohorts that imitate studies: what models find, and what there is to find."""
    rows = {}
    for name in ("adenocarcinoma", "nodules-1", "sarcoma"):
        cohort = rd.make_study_cohort(name)
        several = cohort[0].image_names
        heads = {"handcrafted": rd.RadiomicsExtractor(bin_count=32), "deep": rd.DeepFeatureExtractor()}
        truth = cohort.frame["log_hazard" if "log_hazard" in cohort.frame else "log_odds"]
        results = rd.cross_validate_models(
            best_of_each(heads, LOGISTIC), cohort, cohort.labels, cv=2, n_repeats=50, n_jobs=n_jobs
        )
        for model, result in results.items():
            rows[f"{name}{', ' + ' + '.join(several) if several else ''}: {model}"] = {
                "cases": len(cohort),
                "known truth": f"{roc_auc_score(cohort.labels, truth):.3f}",
                **row_of(result),
            }
    intro = (
        "Cohorts of `make_study_cohort`, whose outcome is drawn from known properties; the AUC of these properties "
        "themselves is the most that can be found. Ridge logistic regression on all features, halves x 50."
    )
    return intro, pd.DataFrame.from_dict(rows, orient="index").rename_axis("cohort and model")


def breast(n_jobs):
    """Return the study of breast ultrasound on its official split."""
    stored = np.load(DATA / "breastmnist" / "breastmnist.npz")

    def cases(part):
        pictures, labels = stored[f"{part}_images"], stored[f"{part}_labels"].ravel()
        return [
            rd.Case(picture, np.ones_like(picture), id=f"{part}-{n}", spacing_mm=(1.0, 1.0), label=int(label == 0))
            for n, (picture, label) in enumerate(zip(pictures, labels, strict=True))
        ]

    train, test = rd.Cohort(cases("train") + cases("val")), rd.Cohort(cases("test"))
    heads = {
        "handcrafted": rd.RadiomicsExtractor(bin_count=32, families=TEXTURE),
        "deep": rd.DeepFeatureExtractor(),
    }
    models = best_of_each(heads, FOREST)
    results = {
        name: rd.holdout_auc(model, train, train.labels, test, test.labels, positive=1, size=None)
        for name, model in models.items()
    }
    intro = (
        f"BreastMNIST, ultrasound of 28 x 28 pixels: {len(train)} to train, {len(test)} to test (official split), "
        "malignant against the rest. No lesion is outlined: features are of the whole picture, and size says nothing. "
        "Published (ResNet-18): AUC .901; a forest on the pixels: .843."
    )
    return intro, results, "combined", None


def tables(n_jobs):
    """Return the tables of other studies, by the automatic classifier."""
    rows = {}
    published = {"worc_lipo": ".83", "brats_gbm_vs_lgg": "-"}
    for name, figure in published.items():
        table = pd.read_csv(DATA / "tables" / f"{name}.csv", index_col="ID")
        y = table.pop("label").to_numpy()
        table = table.select_dtypes("number").replace([np.inf, -np.inf], np.nan)
        model = make_pipeline(SimpleImputer(strategy="median"), rd.AutoClassifier(n_trees=0))
        result = rd.cross_validated_auc(model, table, y, cv=5, n_jobs=n_jobs)
        rows[name] = {"cases": len(y), "features": table.shape[1], "published": figure, **row_of(result)}
    intro = "Tables of features of other studies, by `AutoClassifier(n_trees=0)`, 5-fold x 5."
    return intro, pd.DataFrame.from_dict(rows, orient="index").rename_axis("table")


def radmlbench(n_jobs):
    """Return fourteen public tables: published AUCs reproduced, then the same pipeline with interval and size."""
    rows = {}
    folder = DATA / "radmlbench"
    for path in sorted(folder.glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        if name.startswith("trials_"):
            continue
        table = pd.read_csv(path)
        X, y = table.drop(columns=["ID", "Target"]), table["Target"].to_numpy()
        trials = pd.read_csv(folder / f"trials_{name}.csv.gz")
        of_bayes = (trials["params_fs_method"] == "ANOVA") & (trials["params_clf_method"] == "NaiveBayes")
        trials = trials[of_bayes]
        differences = [pooled_auc(X, y, int(trial.params_N)) - trial.value for trial in trials.itertuples()]
        published = trials.loc[trials["params_N"] == 8, "value"].iloc[0]
        model = make_pipeline(SelectKBest(f_classif, k=8), GaussianNB())
        X.index = table["ID"].astype(str)
        volumes = [column for column in X if column.endswith(("VoxelVolume", "MeshVolume", "_Volume"))]
        size = X[volumes[0]].rank().to_numpy() if volumes else None  # ranks: volumes of some tables are standardised
        result = rd.cross_validated_auc(model, X, y, cv=10, n_jobs=n_jobs, size=size)
        rows[name] = {
            "cases": len(y),
            "features": X.shape[1],
            "published, 8 features": f"{published:.3f}",
            f"largest difference of {len(trials)}": f"{np.max(np.abs(differences)):.0e}",
            **row_of(result),
        }
        print(name, rows[name], flush=True)
    intro = (
        "Tables of the benchmark radMLBench. Published are AUCs of pooled predictions of ANOVA and naive Bayes at 1 to "
        "64 features. Then the largest difference to the same pipeline here, which comes from how numbers are read and "
        "ties broken: with the reader of pandas 2 and the rounding of scipy 1.14 all 98 AUCs are equal to 1e-12 "
        "(`tests/study/test_published_pipelines.py`). Then its AUC by 10-fold x 5 with an interval (8 features), and "
        "size alone where the table has a volume."
    )
    return intro, pd.DataFrame.from_dict(rows, orient="index").rename_axis("table")


def pooled_auc(X, y, k):
    """Return the AUC of the pooled predictions of ANOVA and naive Bayes on the published folds."""
    values, score = X.to_numpy(), np.empty(len(y))
    for train, test in RepeatedStratifiedKFold(**PUBLISHED_FOLDS).split(values, y):
        model = make_pipeline(SelectKBest(f_classif, k=k), GaussianNB()).fit(values[train], y[train])
        score[test] = model.predict_proba(values[test])[:, 1]
    return roc_auc_score(y, score)


def row_of(result):
    """Return AUC, size alone and the p value between them as texts."""
    shown = result.primary
    interval = shown.confidence_interval
    row = {f"{shown.endpoint.measure} (95 % interval)": f"{shown.auc:.3f} ({interval.low:.2f} to {interval.high:.2f})"}
    baseline = result.compared_with_size.size_baseline
    if baseline is None:
        return row | {"size alone": "-", "p": "-"}
    p_value = result.p_against_size
    return row | {"size alone": f"{baseline.auc:.3f}", "p": "-" if p_value is None else f"{p_value:.2g}"}


STUDIES = {
    "lidc": ("Malignancy of lung nodules", lidc),
    "lidc-ensemble": ("Malignancy of lung nodules, networks from scratch", lidc_ensemble),
    "sts-pet": ("Lung metastases of sarcomas, PET", lambda n_jobs: sarcoma("pet", n_jobs)),
    "sts-mr": ("Lung metastases of sarcomas, MR", lambda n_jobs: sarcoma("mr", n_jobs)),
    "sts-survival": ("Survival with sarcoma", sarcoma_survival),
    "breast": ("Breast ultrasound", breast),
    "tables": ("Published tables", tables),
    "phantoms": ("Phantoms", phantoms),
    "radmlbench": ("Fourteen tables of radMLBench", radmlbench),
}


def section(title, study):
    """Return the text of a study: what is known, the models, combined against each alone, and controls."""
    intro, found, *more = study
    lines = [f"## {title}", intro, ""]
    if isinstance(found, pd.DataFrame):
        return "\n".join([*lines, markdown(found)])
    main, controls = more
    rows = {name: row_of(result) for name, result in found.items()}
    lines += [markdown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")), ""]
    compared = rd.compare_all(found, against=main)
    for row in compared.itertuples():
        lines.append(
            f"- {main} less {row.model if row.against == main else row.against}: "
            f"{-row.difference if row.against == main else row.difference:+.3f}, p = {row.p_value:.2g} "
            f"(Holm {row.p_holm:.2g}, {row.cv})"
        )
    if controls is not None:
        lines += ["", "Negative controls:", ""]
        lines += [f"- {sentence}" for sentences in controls.verdicts.values() for sentence in sentences]
    return "\n".join(lines)


def markdown(table):
    """Return a table as markdown, the index first."""
    table = table.reset_index()
    rows = [table.columns, ["---"] * table.shape[1], *table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def written(page, name, text):
    """Return the page with another text between the comments of a section, appended if it is new."""
    block = f"<!-- {name} -->\n{text}\n<!-- end of {name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- end of {name} -->", re.DOTALL)
    return pattern.sub(lambda _: block, page) if pattern.search(page) else f"{page.rstrip()}\n\n{block}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STUDIES)}")
    parser.add_argument("--n-jobs", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("once")
    for name in arguments.names or STUDIES:
        start = time.time()
        title, study = STUDIES[name]
        text = section(title, study(arguments.n_jobs))
        PAGE.write_text(written(PAGE.read_text(), name, text))
        print(text, f"{time.time() - start:.0f} s", sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
