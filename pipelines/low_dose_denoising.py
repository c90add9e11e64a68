"""Remove the noise of low-dose images before features are measured, and see whether the features come back.

python pipelines/low_dose_denoising.py [manifest.csv] [--noise 20] --output results
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep.imaging.denoise import with_normal_noise

METHODS = ("wiener", "tv", "dncnn")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("manifest", nargs="?", help="columns id, image, mask; phantoms if it is left out")
    parser.add_argument("--noise", type=float, default=20.0, help="deviation of the added noise, in units of the image")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="methods of Denoiser")
    parser.add_argument("--n-cases", type=int, default=30, help="number of phantoms")
    parser.add_argument("--n-jobs", type=int, default=-1)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.manifest:
        cohort = rd.read_cohort(options.manifest)
    else:
        cohort = rd.make_phantom_cohort(options.n_cases, random_state=0)

    low_dose = []
    for number, case in enumerate(cohort):
        stored = case.in_memory()
        noisy = with_normal_noise(stored.voxels, options.noise, random_state=number)
        low_dose.append(stored.replace(image=noisy.astype("float32")))

    radiomics = rd.RadiomicsExtractor(bin_count=32, families=["firstorder", "glcm", "glrlm", "glszm"])
    extractors = {"no denoising": radiomics}
    extractors |= {method: make_pipeline(rd.Denoiser(method), radiomics) for method in options.methods}
    clean = rd.extract_table(radiomics, cohort, options.n_jobs)
    shares = {}
    for name, extractor in extractors.items():
        table = rd.extract_table(extractor, low_dose, options.n_jobs)
        icc = pd.Series({column: rd.intraclass_correlation(clean[column], table[column]).icc for column in clean})
        shares[name] = (icc >= 0.75).groupby(icc.index.str.split("_").str[1]).mean()
    shares = pd.DataFrame(shares).T.rename_axis("method")
    print(
        f"Share of features with an ICC of at least .75 between the images and those of low dose, {len(cohort)} cases:"
    )
    print(shares.to_string(float_format="{:.2f}".format))
    options.output.mkdir(parents=True, exist_ok=True)
    shares.to_csv(options.output / "denoising.csv")


if __name__ == "__main__":
    main()
