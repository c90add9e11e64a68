"""Speed of handcrafted features compared with pyradiomics, pictologics and MIRP: median ratios of one run.

Each engine runs in a process of its own with one thread, and the engines take turns case by case, so that the load of
the machine affects all alike. pyradiomics runs in the Python of this script; pictologics (Python >= 3.12, with joblib)
and MIRP run in interpreters of their own:

    python benchmarks/handcrafted.py --pictologics PYTHON [--mirp PYTHON] [--cases nodule,brain1] [--quick]

"ibsi" is radiodeep with convention="ibsi". Real images are read from the folder RADIODEEP_REFERENCE_DATA, and left out
if it does not exist.
"""

import argparse
import json
import os
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FAMILIES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
FILTERS = {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]}}
SUBBANDS = ("LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL")
ENGINES = ("radiodeep", "ibsi", "pyradiomics", "pictologics", "mirp")


# ---- engines: (task, content, family) -> (function without arguments, number of features, factor of its times)


def radiodeep(task, content, family):
    import radiodeep as rd

    families = [family] if family else None
    if task == "filters":
        extractor = rd.RadiomicsExtractor(bin_count=32, image_types=FILTERS)
    else:
        extractor = rd.RadiomicsExtractor(families=families)
    n_features = len(extractor.get_feature_names_out())
    if task == "files":
        return lambda: extractor.transform([rd.Case(*content, "nodule")]), n_features, 1
    if task.startswith("cohort"):
        cases = [rd.Case(image, mask, f"{k}", spacing_mm=step) for k, (image, mask, step) in enumerate(content)]
        if task == "cohort2":
            return lambda: rd.extract_table(extractor, cases, n_jobs=2), n_features, 1
        return lambda: extractor.transform(cases), n_features, 1
    case = rd.Case(content[0], content[1], "case", spacing_mm=content[2])
    return lambda: extractor.transform([case]), n_features, 1


def ibsi(task, content, family):
    """radiodeep by the definitions of the IBSI, without the features that pictologics is not asked for either."""
    import radiodeep as rd

    if task != "all" or family:
        raise NotImplementedError("the features of the IBSI are measured on whole cases only")
    every = rd.RadiomicsExtractor(convention="ibsi")
    names = [name.removeprefix("original_") for name in every.get_feature_names_out()]
    morphology = [
        name for name in names if name.startswith("morph_") and name not in ("morph_moran_i", "morph_geary_c")
    ]
    families = dict.fromkeys(every.chosen_families()) | {"morphology": morphology}
    del families["local_intensity"]
    extractor = rd.RadiomicsExtractor(convention="ibsi", families=families)
    case = rd.Case(content[0], content[1], "case", spacing_mm=content[2])
    return lambda: extractor.transform([case]), len(extractor.get_feature_names_out()), 1


def pyradiomics(task, content, family):
    import numpy as np
    import radiomics
    import SimpleITK as sitk
    from joblib import Parallel, delayed
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.logger.setLevel(50)
    settings = {"additionalInfo": False, "preCrop": True, "minimumROIDimensions": 1}
    settings |= {"binCount": 32, "padDistance": 20} if task == "filters" else {"binWidth": 25}
    extractor = RadiomicsFeatureExtractor(**settings)
    if task == "filters":
        extractor.disableAllImageTypes()
        for image_type, own in FILTERS.items():
            extractor.enableImageTypeByName(image_type, customArgs=own)
    if family:
        extractor.disableAllFeatures()
        extractor.enableFeatureClassByName(family)

    def as_images(image, mask, step):
        images = [sitk.GetImageFromArray(image), sitk.GetImageFromArray(mask.astype(np.uint8))]
        for volume in images:
            volume.SetSpacing([float(size) for size in step[::-1]])
        return images

    if task == "files":
        return lambda: extractor.execute(*content), 107, 1
    if task.startswith("cohort"):
        part = content[:20]  # the times are scaled up to the whole cohort
        if task == "cohort2":
            run = delayed(lambda *case: extractor.execute(*as_images(*case)))
            return lambda: Parallel(2)(run(*case) for case in part), 107, len(content) / len(part)
        pairs = [as_images(*case) for case in part]
        return lambda: [extractor.execute(*pair) for pair in pairs], 107, len(content) / len(part)
    pair = as_images(*content)
    return lambda: extractor.execute(*pair), len(extractor.execute(*pair)), 1


def pictologics(task, content, family):
    import warnings

    import numpy as np
    from joblib import Parallel, delayed
    from pictologics import RadiomicsPipeline, load_image
    from pictologics.loader import Image

    warnings.simplefilter("ignore")
    bins = {"method": "FBN", "n_bins": 32}
    if task != "filters":
        lowest = float(np.min(content[0][content[1]])) // 25 * 25 if task == "all" else 0.0
        bins = {"method": "FBS", "bin_width": 25.0, "min_val": -500.0 if task == "files" else lowest}
    texture = ["glcm", "glrlm", "glszm", "ngtdm", "ngldm"]
    named = {"shape": ["morphology"], "firstorder": ["intensity", "histogram"], "gldm": ["ngldm"]}
    families = named.get(family, [family]) if family else ["morphology", "intensity", "histogram", *texture]
    pipeline = RadiomicsPipeline(load_standard=False)

    def add(name, families, filter_settings=None):
        steps = [{"step": "filter", "params": filter_settings}] if filter_settings else []
        steps += [
            {"step": "discretise", "params": bins},
            {
                "step": "extract_features",
                "params": {
                    "families": families,
                    "include_spatial_intensity": False,
                    "include_local_intensity": False,
                },
            },
        ]
        pipeline.add_config(name, steps)

    add("original", families)
    if task == "filters":
        for subband in SUBBANDS:
            wavelet = {"type": "wavelet", "wavelet": "coif1", "level": 1, "decomposition": subband}
            add(f"wavelet-{subband}", ["intensity", "histogram", *texture], {**wavelet, "boundary": "periodic"})
        for sigma in FILTERS["LoG"]["sigma"]:
            add(f"log-{sigma}", ["intensity", "histogram", *texture], {"type": "log", "sigma_mm": sigma})

    def as_images(image, mask, step):
        spacing = tuple(float(size) for size in step[::-1])
        geometry = {"spacing": spacing, "origin": (0.0, 0.0, 0.0), "direction": np.eye(3)}
        arrays = (image.transpose(2, 1, 0).astype(np.float32), mask.transpose(2, 1, 0).astype(np.uint8))
        return [Image(array=np.ascontiguousarray(array), modality="CT", **geometry) for array in arrays]

    def count(results):
        return sum(int(np.isfinite(values.astype(float)).sum()) for values in results.values())

    if task == "files":
        image, mask = content
        own = lambda: pipeline.run(image=image, mask=mask)  # noqa: E731
        loaded = lambda: pipeline.run(image=load_image(image), mask=load_image(mask, stored_type=True))  # noqa: E731
        return min((own, loaded), key=_time_of), count(own()), 1
    if task.startswith("cohort"):
        pairs = [as_images(*case) for case in content]
        if task == "cohort2":
            run = delayed(lambda pair: pipeline.run(image=pair[0], mask=pair[1]))
            return lambda: Parallel(2)(run(pair) for pair in pairs), count(pipeline.run(*pairs[0])), 1
        return lambda: [pipeline.run(image=pair[0], mask=pair[1]) for pair in pairs], count(pipeline.run(*pairs[0])), 1
    image, mask = as_images(*content)
    return lambda: pipeline.run(image=image, mask=mask), count(pipeline.run(image=image, mask=mask)), 1


def mirp(task, content, family):
    import logging

    import numpy as np
    from mirp import extract_features

    if task not in ("all", "files") or family:
        raise NotImplementedError("MIRP is measured on whole cases only")
    logging.getLogger("mirp").setLevel(logging.ERROR)
    families = ["morphology", "statistics", "glcm", "glrlm", "glszm", "ngtdm", "ngldm"]
    settings = {
        "base_feature_families": families,
        "base_discretisation_method": "fixed_bin_size",
        "base_discretisation_bin_width": 25.0,
        "resegmentation_intensity_range": [-3000.0, 5000.0],
        "num_cpus": 1,
    }
    if task == "files":
        return lambda: extract_features(image=content[0], mask=content[1], **settings), 0, 1
    image, mask = content[0].astype(np.float64), content[1].astype(np.uint8)
    run = lambda: extract_features(image=image, mask=mask, **settings)  # noqa: E731
    return run, run()[0].select_dtypes("number").shape[1], 1


def _time_of(function):
    function()
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_mb():
    """Return the peak memory of this process; getrusage would include that of its parent before it started."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(engine, folder):
    """Answer each order of the parent with {"ms": [...], "features": n, "mb": memory}, until it closes the pipe."""
    functions = (radiodeep, ibsi, pyradiomics, pictologics, mirp)
    prepare = dict(zip(ENGINES, functions, strict=True))[engine]
    prepared = {}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an engine prints must not disturb the answers
    for line in sys.stdin:
        order = json.loads(line)
        key = (order["case"], order["family"])
        try:
            if key not in prepared:
                content = pickle.loads(Path(folder, f"{order['case']}.pickle").read_bytes())
                function, n_features, scale = prepare(order["task"], content, order["family"])
                function()
                prepared.clear()
                prepared[key] = function, n_features, scale
            function, n_features, scale = prepared[key]
            milliseconds = []
            for _ in range(order["repeat"]):
                begin = time.perf_counter()
                function()
                milliseconds.append(1e3 * (time.perf_counter() - begin) * scale)
            answer = {"ms": milliseconds, "features": n_features, "mb": peak_mb()}
        except Exception as error:  # an engine that fails leaves a gap in the table
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


# ---- the parent


class Worker:
    """The process of one engine."""

    def __init__(self, engine, python, folder):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        names += ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "PICTOLOGICS_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, "1"), "PICTOLOGICS_DISABLE_WARMUP": "1"}
        command = [python, str(Path(__file__).resolve()), "--worker", engine, "--folder", str(folder)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def ask(self, **order):
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            return {"error": "the process ended"}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def interpreters(arguments):
    """Return {engine: Python} of the engines that can be imported, and print how to install the others."""
    pythons = {"radiodeep": sys.executable, "ibsi": sys.executable}
    candidates = {"pyradiomics": sys.executable, "pictologics": arguments.pictologics, "mirp": arguments.mirp}
    modules = {"pyradiomics": "radiomics"}
    for engine, python in candidates.items():
        if python is None:
            if engine == "pictologics":
                print("pictologics is left out: give --pictologics PYTHON (>= 3.12, pip install pictologics joblib)")
            continue
        code = (
            f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{modules.get(engine, engine)}') is None)"
        )
        if subprocess.run([python, "-c", code], check=False).returncode == 0:
            pythons[engine] = python
        else:
            print(f"{engine} is left out: it is not installed in {python}")
    return pythons


def measure(engines, folder, case, task, family, rounds, repeat):
    """Return {engine: {"ms": all samples, "features", "mb"}} of one case; engines take turns in new processes."""
    workers = {engine: Worker(engine, python, folder) for engine, python in engines.items()}
    results = {engine: {"ms": []} for engine in workers}
    for _ in range(rounds):
        for engine, worker in workers.items():
            if "error" in results[engine]:
                continue
            answer = worker.ask(case=case, task=task, family=family, repeat=repeat)
            samples = results[engine]["ms"] + answer.get("ms", [])
            results[engine] = {**answer, "ms": samples}
    for worker in workers.values():
        worker.close()
    return results


def show(label, results):
    ours = statistics.median(results["radiodeep"]["ms"]) if results["radiodeep"]["ms"] else float("nan")
    cells = []
    for engine, result in results.items():
        if not result["ms"]:
            cells.append(f"{engine}: {result.get('error', 'no answer')[:40]}")
            continue
        median = statistics.median(result["ms"])
        ratio = "" if engine == "radiodeep" else f" x{median / ours:.1f}"
        cells.append(f"{engine} {median:.2f} ms{ratio} ({result['features']} features, peak {result['mb']:.0f} MB)")
    print(f"{label:22s} " + " | ".join(cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictologics", metavar="PYTHON")
    parser.add_argument("--mirp", metavar="PYTHON")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("RADIODEEP_REFERENCE_DATA", "../shared/data")))
    parser.add_argument("--cases", help="names, separated by commas; all by default")
    parser.add_argument("--families", action="store_true", help="also measure each family by itself")
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--json", type=Path, help="write all samples here")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.folder)
        return
    # Not at the top: workers run in interpreters without the libraries that make the cases.
    from handcrafted_cases import make_cases

    engines = interpreters(arguments)
    samples = {}
    with tempfile.TemporaryDirectory() as folder:
        cases = make_cases(Path(folder), arguments.data)
        wanted = arguments.cases.split(",") if arguments.cases else list(cases)
        for name in wanted:
            task, content = cases[name]
            small = task == "all" and content[1].sum() < 10_000
            rounds, repeat = (3 if arguments.quick else 9), (10 if small else 1)
            families = [None, *FAMILIES] if arguments.families and task == "all" else [None]
            for family in families:
                results = measure(engines, folder, name, task, family, rounds, repeat)
                label = name if family is None else f"  {name} {family}"
                if task == "all" and family is None:
                    label += f" ({int(content[1].sum())})"
                show(label, results)
                samples[f"{name}/{family or 'all'}"] = results
    if arguments.json:
        arguments.json.write_text(json.dumps(samples))


if __name__ == "__main__":
    main()
