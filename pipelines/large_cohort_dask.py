"""Extract, study and score a cohort on a Dask cluster; tables, results and scores are those of one process.

A cluster may be two processes of this machine, or all nodes of a hospital's computing centre: start a scheduler and
workers of one thread each, on machines that see the same folders, and give the address of the scheduler. A worker that
dies costs nothing, since its cases go to another.

python pipelines/large_cohort_dask.py                                        on phantoms, with two local processes
python pipelines/large_cohort_dask.py manifest.csv --scheduler tcp://node1:8786 --cache features
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="manifest of cases with labels")
    parser.add_argument("--scheduler", help="address of a scheduler, instead of a cluster on this machine")
    parser.add_argument("--cache", type=Path, help="folder that all workers see: features are kept there")
    parser.add_argument("--output", type=Path, default=Path("large_cohort_dask"), help="folder of tables and scores")
    parser.add_argument("--n-cases", type=int, default=40, help="of the phantoms")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)

    # Cases on disk travel as their paths; cases in memory would be sent to the workers.
    phantoms = options.output / "phantoms"
    manifest = options.manifest or rd.write_cohort(rd.make_study_cohort("nodules-1", options.n_cases), phantoms)
    cohort = rd.read_cohort(Path(manifest).absolute())  # workers may have started in another folder
    radiomics = rd.RadiomicsExtractor(bin_count=32)
    model = make_pipeline(radiomics, StandardScaler(), rd.ReliefF(n_features_to_select=5), GaussianNB())

    with ExitStack() as cluster:
        address = options.scheduler
        if address is None:
            settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
            address = cluster.enter_context(LocalCluster(**settings))
        client = cluster.enter_context(Client(address))
        cluster.enter_context(parallel_config(backend="dask", client=client))
        print(f"{len(cohort)} cases on {sum(client.ncores().values())} workers")
        cache = {"cache_dir": options.cache and options.cache.absolute()}
        table = rd.extract_table(radiomics, cohort, **cache, on_error="record")
        result = rd.cross_validated_auc(
            model, cohort, cohort.labels, cv=5, groups=cohort.patients, **cache, on_error="exclude"
        )
        fitted, _ = rd.fit_over_cases(model, cohort, cohort.labels, **cache, on_error="exclude")
        scores = rd.score_cohort(fitted, cohort, **cache)

    table.to_csv(options.output / "features.csv")
    scores.to_csv(options.output / "scores.csv", index=False)
    print(result)
    print(f"Features and scores are in {options.output}")


if __name__ == "__main__":  # workers import this file
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
