"""CPU time and memory of reading a DICOM series by radiodeep and by SimpleITK, measured alternately: minima and ratio.

    python benchmarks/dicom.py [--slices 60 300] [--rounds 5]

Slices have 512 x 512 voxels. Both find the files of the folder, read them in order and rescale them; radiodeep also
checks that they make one even, complete stack. Its headers are read anew each time, by one thread as in ITK.
"""

import argparse
import os
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

os.environ["RADIODEEP_PROGRESS"] = "0"


def write_series(folder, n_slices):
    """Write a series of CT slices of noise."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    series, frame, rng = generate_uid(), generate_uid(), np.random.default_rng(0)
    for level in range(n_slices):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID, image.Modality = CTImageStorage, generate_uid(), "CT"
        image.SeriesInstanceUID = image.StudyInstanceUID = series
        image.FrameOfReferenceUID, image.ImagePositionPatient = frame, [0, 0, level]
        image.ImageOrientationPatient, image.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.8, 0.8]
        image.Rows = image.Columns = 512
        image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
        image.RescaleSlope, image.RescaleIntercept = 1, -1024
        image.PixelData = rng.integers(0, 4096, (512, 512), np.uint16).tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(folder / f"{level}.dcm", enforce_file_format=True)


def with_itk(folder):
    """Return the image as SimpleITK reads it, not copied to numpy."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def with_radiodeep(folder):
    """Return the voxels as radiodeep reads them, none of the headers known."""
    from radiodeep.cases.readers import read_volume

    (folder / "0.dcm").touch()  # or the headers would be kept
    return read_volume(folder).voxels


def main():
    import SimpleITK as sitk

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, nargs="+", default=[60, 300])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    for n_slices in options.slices:
        with tempfile.TemporaryDirectory() as name:
            folder, seconds = Path(name), {with_itk: [], with_radiodeep: []}
            write_series(folder, n_slices)
            np.testing.assert_array_equal(sitk.GetArrayFromImage(with_itk(folder)), with_radiodeep(folder))
            for _ in range(options.rounds):
                for read, taken in seconds.items():
                    start = time.process_time()
                    read(folder)
                    taken.append(time.process_time() - start)
            tracemalloc.start()
            volume = with_radiodeep(folder)
            peak = tracemalloc.get_traced_memory()[1] / volume.nbytes
            tracemalloc.stop()
        itk, own = (min(taken) for taken in seconds.values())
        print(
            f"{n_slices} slices: SimpleITK {itk:.3f} s, radiodeep {own:.3f} s, ratio {own / itk:.2f}; "
            f"peak memory {peak:.2f} volumes"
        )


if __name__ == "__main__":
    main()
