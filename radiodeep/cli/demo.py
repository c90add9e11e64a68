"""`radiodeep demo`: from images to a report and scores, on synthetic lesions."""

from pathlib import Path

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.measurement import Measurement, feature_sets
from radiodeep.cli.output import check_folder
from radiodeep.cli.study import Study
from radiodeep.cli.terminal import say
from radiodeep.files import write_table
from radiodeep.recipes import Recipe

_N_NEW = 40


def demo(output: options.DemoFolder = Path("radiodeep_demo"), jobs: options.Jobs = -1):
    """Run every step on synthetic lesions.

    Makes 40 lesions, studies them, saves a model and scores new lesions with it.
    """
    check_folder(output)
    say("Making 40 synthetic lesions; their label depends on texture and on shape ...")
    manifest = rd.write_cohort(rd.make_phantom_cohort(40, random_state=0), output / "cohort")
    known = rd.read_cohort(manifest)
    measurement = Measurement(bin_width=25.0)
    recipe = Recipe()
    models = {kind.value: recipe.over_cases(measurement.extractors(kind)) for kind in feature_sets(None)}
    name = list(models)[-1]
    Study(models, known, known.labels, known.patients).run(output, manifest, jobs=jobs)
    path = rd.save_model(models[name].fit(known, known.labels), output / "model.skops")
    say(f"Scoring {_N_NEW} new lesions with the saved model ...")
    new = rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(_N_NEW, random_state=1), output / "new_cases"))
    scores = rd.score_cohort(rd.load_model(path), new, n_jobs=jobs)
    write_table(scores, output / "scores.csv", index=False)
    right = int((scores["prediction"] == new.labels).sum())
    estimate = rd.auc_with_confidence(new.labels, scores["probability_1"])
    say(f"{name.capitalize()} features, new lesions: {estimate}; {right} of {_N_NEW} labels right.")
    say("So few lesions say little: compare this interval with that of the study above.")
    say(f"All of it is in {output}: open {output / 'report.html'} in a browser.")
