"""Cases that benchmarks/handcrafted.py measures: real images of the reference data, synthetic nodules and spheres."""

import pickle

import nibabel
import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter


def smooth_noise(generator, shape, n_levels, bin_width=25):
    """Return smooth int16 noise that spans n_levels bins."""
    noise = gaussian_filter(generator.normal(size=shape), 1.5)
    low, high = np.percentile(noise, [0.01, 99.99])
    return (np.clip((noise - low) / (high - low), 0, 1) * (n_levels * bin_width - 1)).astype("int16")


def ball(shape, diameter):
    """Return the mask of a ball in the middle of the image."""
    offsets = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    return (offsets**2).sum(axis=0) <= (diameter / 2) ** 2


def make_cases(folder, data):
    """Return {name: (task, data)}, and pickle the data of each case to the folder for the worker processes."""
    generator = np.random.default_rng(0)

    def real(image, mask):
        image = sitk.ReadImage(str(data / image))
        inside = sitk.GetArrayFromImage(sitk.ReadImage(str(data / mask))) == 1
        return sitk.GetArrayFromImage(image), inside, image.GetSpacing()[::-1]

    cubic_mm = (1.0, 1.0, 1.0)
    cases = {"nodule": ("all", (smooth_noise(generator, (32,) * 3, 16), ball((32,) * 3, 10), cubic_mm))}
    if (data / "pyradiomics").is_dir():
        for name in ("breast1", "brain1"):
            cases[name] = ("all", real(f"pyradiomics/{name}_image.nrrd", f"pyradiomics/{name}_label.nrrd"))
    if (data / "ibsi1").is_dir():
        phantom = "ibsi1/ct_phantom/nifti"
        cases["ct_phantom"] = ("all", real(f"{phantom}/image/phantom.nii.gz", f"{phantom}/mask/mask.nii.gz"))
    for n_levels in (32, 124):
        shape = (128,) * 3
        cases[f"sphere{n_levels}"] = ("all", (smooth_noise(generator, shape, n_levels), ball(shape, 100), cubic_mm))
    for name in ("brain1", "ct_phantom"):
        if name in cases:
            cases[f"{name}_filters"] = ("filters", cases[name][1])
    shape = (48, 512, 512)
    image = generator.normal(0, 30, shape).astype("int16")
    mask = np.zeros(shape, "uint8")
    mask[20:32, 200:214, 300:314] = ball((12, 14, 14), 11.7)
    affine = np.diag([0.7, 0.7, 2.5, 1.0])
    paths = []
    for name, array in (("image", image), ("mask", mask)):
        paths.append(str(folder / f"{name}.nii.gz"))
        nibabel.save(nibabel.Nifti1Image(array.transpose(2, 1, 0), affine), paths[-1])
    cases["from_file"] = ("files", tuple(paths))
    nodules = []
    for diameter in generator.uniform(7.3, 14.2, 500):  # 200 to 1500 voxels
        nodules.append((smooth_noise(generator, (40,) * 3, 16), ball((40,) * 3, diameter), cubic_mm))
    cases["cohort"] = ("cohort", nodules)
    cases["cohort_2_jobs"] = ("cohort2", nodules)
    for name, (_, content) in cases.items():
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(content))
    return cases
