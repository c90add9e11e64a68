"""Handcrafted features, deep features and selector scores: generators of (name, function that computes them)."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from synthetic_data import flat_cases, reference_cases, small_table

import radiodeep as rd
from radiodeep.networks.architectures import build_network


def handcrafted():
    phantoms = rd.make_phantom_cohort(3, random_state=5)
    all_types = [
        "Original",
        "Wavelet",
        "Square",
        "SquareRoot",
        "Logarithm",
        "Exponential",
        "Gradient",
        "LBP2D",
        "LBP3D",
    ]
    all_types = {name: {} for name in all_types} | {"LoG": {"sigma": [1.0, 3.0]}}
    in_plane = {"LoG": {"sigma": [2.0], "in_plane": True}, "Gradient": {"in_plane": True}, "Wavelet": {"level": 2}}
    scaled = {name: {"scale_by": "region"} for name in ("Square", "SquareRoot", "Logarithm", "Exponential")}
    settings = {
        "default": {},
        "all image types": {"image_types": all_types, "bin_count": 16},
        "in plane": {"image_types": in_plane, "force_2d": True, "bin_count": 16},
        "scaled by region": {"image_types": scaled, "bin_count": 8},
        "bin_count": {"bin_count": 32},
        "resampled": {"resample_mm": 1.3, "interpolator": "linear"},
        "resampled coarse": {"resample_mm": (3.0, 2.0, 2.0), "anti_alias": True, "resample_grid": "region"},
        "force_2d": {"force_2d": True, "resegment_range": [0, 150], "force_2d_dimension": 1},
        "resegmented": {"resegment_range": [-2, 2], "resegment_mode": "sigma", "resegment_shape": True},
        "texture": {"distances": (1, 2), "weighting_norm": "euclidean", "symmetrical_glcm": False, "gldm_alpha": 1},
        "chosen": {"families": {"glcm": ["Contrast", "Id"], "shape": None}, "voxel_array_shift": 10.0},
        "stored": {"axes": "stored", "pre_crop": True, "image_types": ["Wavelet"]},
    }
    for over in ("image", "percentiles", "body", "ring", "region"):
        settings[f"normalised over {over}"] = {
            "normalize": True,
            "normalize_over": over,
            "bin_width": 10,
            "remove_outliers": 3,
        }
    for name, options in settings.items():
        extractor = rd.RadiomicsExtractor(**options)
        yield name, lambda extractor=extractor: extractor.fit_transform(phantoms)
        yield f"{name}: names", lambda extractor=extractor: extractor.get_feature_names_out().astype(str)
    flat = flat_cases(2)
    yield "2-D", lambda: rd.RadiomicsExtractor().fit_transform(flat)
    yield (
        "2-D filters",
        lambda: rd.RadiomicsExtractor(image_types=["Wavelet", "LBP2D"], force_2d=True).fit_transform(flat),
    )
    file = Path(tempfile.mkdtemp()) / "params.yaml"
    file.write_text(
        "setting: {binWidth: 10, resampledPixelSpacing: [1, 1, 3]}\nimageType: {Original: {}, Wavelet: {}}\n"
    )
    yield "from_pyradiomics", lambda: rd.RadiomicsExtractor.from_pyradiomics(file).fit_transform(phantoms)
    extractor = rd.RadiomicsExtractor(families=["shape", "firstorder"])
    yield "perturbed", lambda: rd.extract_perturbed(extractor, phantoms[:2], random_state=0)
    yield "bin width", lambda: rd.suggest_bin_width(phantoms)
    yield "unit bound", lambda: [str(name) for name in rd.RadiomicsExtractor().unit_bound_features()]
    yield "table", lambda: rd.extract_table(rd.RadiomicsExtractor(), phantoms)
    for case in reference_cases():
        for axes in ("anatomical", "stored"):
            extractor = rd.RadiomicsExtractor(bin_count=32, axes=axes, image_types=["Original", "Wavelet"])
            yield f"{case.id} {axes}", lambda case=case, extractor=extractor: extractor.fit_transform([case])


def deep():
    phantoms = rd.make_phantom_cohort(6, random_state=5)
    settings = {
        "default": {},
        "crop": {"window": "crop", "size": 64},
        "largest, post, minmax": {"activation": "post", "intensity_range": "minmax", "pixel_mm": None, "margin": 0},
        "all slices": {"slice": "all", "slice_pool": "max"},
        "three-orthogonal": {"slice": "three-orthogonal"},
        "boxes": {"n_boxes": 3, "margin": 0.1, "pixel_mm": 1.5},
        "coronal": {"slice_axis": "coronal", "intensity_range": (-50.0, 200.0), "n_boxes": 2},
        "layer": {"layer": "means", "pool": "avg"},
        "arch3, 2.5d": {"network": "arch3", "weights": "random", "seed": 1, "slice": "2.5d"},
        "arch3, red": {
            "network": "arch3",
            "weights": "random",
            "seed": 1,
            "channel": "red",
            "window": "crop",
            "size": 40,
        },
        "resnet10t": {"network": "resnet10t", "weights": "random", "seed": 0},
    }
    for name, options in settings.items():
        extractor = rd.DeepFeatureExtractor(n_threads=1, device="cpu", **options)
        yield name, lambda extractor=extractor: extractor.fit_transform(phantoms)
    yield "2-D", lambda: rd.DeepFeatureExtractor(n_threads=1, device="cpu").fit_transform(flat_cases(3))
    yield "share shown", lambda: rd.DeepFeatureExtractor(window="crop", size=20).share_shown(phantoms)

    torch.manual_seed(0)
    weights = Path(tempfile.mkdtemp()) / "medicalnet.pt"
    torch.save(build_network("medicalnet_resnet10", in_channels=1, n_classes=0).state_dict(), weights)
    for window in ("exact", "crop"):
        cubes = rd.DeepFeatureExtractor("medicalnet_resnet10", str(weights), window=window, n_threads=1, device="cpu")
        yield f"cubes {window}", lambda cubes=cubes: cubes.fit_transform(phantoms[:2])
    for name, plan in {
        "tuned": rd.FineTuning(n_iterations=2, learning_rate=1e-3, batch_size=4),
        "tuned head first": rd.FineTuning(
            n_iterations=3, head_iterations=1, n_layers=2, optimizer="adam", balanced=True
        ),
        "tuned augmented": rd.FineTuning(n_iterations=2, augmentation=rd.Augmentation(), head_learning_rate=None),
    }.items():
        tuned = rd.DeepFeatureExtractor(fine_tune=plan, n_threads=1, device="cpu")
        yield name, lambda tuned=tuned: tuned.fit(phantoms, phantoms.labels).transform(phantoms)

    def explained():
        table = rd.extract_table(rd.RadiomicsExtractor(families=["firstorder"]), phantoms)
        return rd.explain_deep_feature(
            rd.DeepFeatureExtractor(n_threads=1), table, "radiodeep-mini_pool_0007", phantoms, 2
        )

    yield "explained", explained
    for case in reference_cases():
        yield case.id, lambda case=case: rd.DeepFeatureExtractor(n_threads=1, device="cpu").fit_transform([case])


def selection():
    X, y = small_table()
    severity = X["f0"].to_numpy() * 2 + np.random.default_rng(1).normal(size=len(X))
    several = np.arange(len(X)) % 3
    selectors = {
        "ReliefF": rd.ReliefF(5),
        "ReliefF nominal": rd.ReliefF(5, n_neighbors=4, nominal_features=["f4"]),
        "ReliefF distance": rd.ReliefF(5, weight_by_distance=True, sigma=3, tie_order="weka"),
        "ReliefF samples": rd.ReliefF(5, n_samples=11, random_state=7, threshold=0.01),
        "SU": rd.SymmetricUncertainty(5, threshold=None),
        "SU nominal": rd.SymmetricUncertainty(5, nominal_features=["f4", "f6"], missing="separate", tie_order="weka"),
        "FCBF": rd.FastCorrelationFilter(),
        "FCBF all": rd.FastCorrelationFilter(5, threshold=None, nominal_features=["f4"]),
    }
    for name, selector in selectors.items():
        for target, labels in {"two classes": y, "three classes": several}.items():
            fit = lambda selector=selector, labels=labels: selector.fit(X, labels)  # noqa: E731
            yield f"{name}, {target}: scores", lambda fit=fit: fit().scores_
            yield f"{name}, {target}: ranking", lambda fit=fit: fit().ranking_
            yield f"{name}, {target}: support", lambda fit=fit: fit().get_support()
            yield f"{name}, {target}: effective", lambda fit=fit: fit().effective_n_features_
    for options in ({}, {"weight_by_distance": True}, {"n_samples": 9}):
        selector = rd.ReliefF(5, target="numeric", **options)
        yield f"ReliefF numeric {options}", lambda selector=selector: selector.fit(X, severity).scores_
    with_gaps = X.mask(np.random.default_rng(2).random(X.shape) < 0.1)
    for selector in (rd.ReliefF(5), rd.SymmetricUncertainty(5), rd.FastCorrelationFilter()):
        yield f"{type(selector).__name__} of gaps", lambda selector=selector: selector.fit(with_gaps, y).scores_
    for candidates in ("distinct", "cases"):
        yield f"MDL {candidates}", lambda candidates=candidates: rd.MDLDiscretizer(candidates).fit_transform(X, y)
    site = {case: "ABC"[row % 3] for row, case in enumerate(X.index)}
    yield "harmonised", lambda: rd.BatchHarmonizer(site).fit_transform(X.drop(columns="f5"))
    yield (
        "harmonised to A",
        lambda: rd.BatchHarmonizer(site, reference="A", n_iterations=5).fit_transform(X.drop(columns="f5")),
    )
    versions = pd.concat([X + np.random.default_rng(seed).normal(0, 0.4, X.shape) for seed in range(3)])
    yield "stable", lambda: rd.StabilitySelector(versions).fit(X).intraclass_correlations_
    yield "effective number", lambda: rd.effective_number_of_features(X.drop(columns="f5").to_numpy())
