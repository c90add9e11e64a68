"""Networks that others have trained on medical images, by name: what they take as input and where their weights are.

No weights are downloaded. Sizes, spacings, windows and orientations are those of the code that trained the network,
except for the side of the cubes, which is that of published comparisons on lesions.
"""

from dataclasses import asdict, dataclass

import pandas as pd

from radiodeep.checks import require_option


@dataclass(frozen=True)
class PublishedNetwork:
    """Facts about a published network; see `published_networks`."""

    title: str
    architecture: str
    modality: str
    n_features: int
    size: int
    licence: str
    page: str
    names_in_file: str
    reference: str
    remark: str = ""
    dimensions: int = 3
    channels: int = 1
    spacing_mm: float | None = None
    orientation: str = "SPL"
    intensity_range: str | tuple[float, float] | None = None
    standardize: bool | str = False
    mean: float = 0.0
    std: float = 1.0
    fixed_size: bool = False

    @property
    def input(self):
        """The images that the network is shown, in words."""
        side = f"{self.size} x {self.size}" if self.dimensions == 2 else f"{self.size} cubed"
        spacing = "" if self.spacing_mm is None else f", {self.spacing_mm:g} mm"
        return f"{side}{spacing}"

    @property
    def normalization(self):
        """What is done to intensities, in words."""
        steps = []
        if isinstance(self.intensity_range, tuple):
            low, high = self.intensity_range
            steps.append(f"HU {low:.0f} to {high:.0f} -> 0..1")
        if self.standardize:
            steps.append("mean 0, deviation 1" + (" of voxels other than 0" if self.standardize == "nonzero" else ""))
        if (self.mean, self.std) != (0.0, 1.0):
            steps.append(f"0..1, - {self.mean:g}, / {self.std:g}")
        return "; ".join(steps)


_VOCO = {
    "modality": "CT",
    "size": 64,
    "spacing_mm": 1.5,
    "orientation": "RAS",
    "intensity_range": (-175.0, 250.0),
    "licence": "Apache-2.0",
    "names_in_file": "swinViT. ... of MONAI's SwinUNETR",
    "reference": "Wu et al., Large-scale 3D medical image pre-training with geometric context priors, arXiv:2410.09890",
    "remark": "Trained with that window on abdomen, head and neck; on chests with (-1000, 500) HU, which "
    "intensity_range sets. Needs MONAI.",
}
PUBLISHED = {
    "ct-fm": PublishedNetwork(
        title="CT-FM",
        architecture="SegResNet encoder",
        modality="CT",
        n_features=512,
        size=48,
        spacing_mm=1.0,
        intensity_range=(-1024.0, 2048.0),
        licence="Apache-2.0",
        page="huggingface.co/project-lighter/ct_fm_feature_extractor",
        names_in_file="encoder.conv_init. ..., or without encoder.",
        reference="Pai et al., Vision foundation models for computed tomography, arXiv:2501.09001",
    ),
    "vista3d": PublishedNetwork(
        title="VISTA3D",
        architecture="SegResNet encoder",
        modality="CT",
        n_features=768,
        size=48,
        spacing_mm=1.5,
        orientation="RAS",
        intensity_range=(-963.8247715525971, 1053.678477684517),
        licence="NVIDIA, non-commercial",
        page="huggingface.co/MONAI/vista3d",
        names_in_file="image_encoder.encoder.conv_init. ...",
        reference="He et al., VISTA3D: A unified segmentation foundation model for 3D medical imaging, CVPR 2025",
    ),
    "suprem-unet": PublishedNetwork(
        title="SuPreM U-Net",
        architecture="3-D U-Net encoder",
        modality="CT, abdomen",
        n_features=512,
        size=48,
        spacing_mm=1.5,
        orientation="RAS",
        intensity_range=(-175.0, 250.0),
        licence="Apache-2.0 (weights)",
        page="huggingface.co/MrGiovanni/SuPreM, supervised_suprem_unet_2100.pth",
        names_in_file="net: module.backbone.down_tr64. ...",
        reference="Li, Yuille, Zhou, How well do supervised 3D models transfer to medical imaging tasks?, ICLR 2024",
    ),
    "models-genesis": PublishedNetwork(
        title="Models Genesis",
        architecture="3-D U-Net encoder",
        modality="CT, chest",
        n_features=512,
        size=48,
        spacing_mm=1.0,
        orientation="LPS",
        intensity_range=(-1000.0, 1000.0),
        licence="Apache-2.0 (weights)",
        page="huggingface.co/MrGiovanni/ModelsGenesis, Genesis_Chest_CT.pt",
        names_in_file="state_dict: module.down_tr64. ...",
        reference="Zhou et al., Models Genesis, Medical Image Analysis 67 (2021) 101840",
        remark="Trained on the voxels of the scanner, of 0.5 to 1 mm in the plane and 0.6 to 2.5 mm across it.",
    ),
    "rad-dino": PublishedNetwork(
        title="RAD-DINO",
        architecture="ViT-B/14 (DINOv2)",
        modality="X-ray, chest",
        n_features=768,
        size=518,
        dimensions=2,
        channels=3,
        mean=0.5307,
        std=0.2583,
        fixed_size=True,
        licence="MIT (MSRLA before 2025)",
        page="huggingface.co/microsoft/rad-dino",
        names_in_file="embeddings.cls_token, encoder.layer.0. ...",
        reference="Pérez-García et al., Exploring scalable medical image encoders beyond text supervision, Nature "
        "Machine Intelligence 7 (2025)",
        remark="Its backbone_compatible.safetensors, in the names of DINOv2, loads too.",
    ),
    "curia": PublishedNetwork(
        title="Curia, Curia-2",
        architecture="ViT-B/16 (DINOv2)",
        modality="CT, MR",
        n_features=768,
        size=512,
        dimensions=2,
        intensity_range="minmax",
        standardize=True,
        fixed_size=True,
        licence="research only (RAIL-M), gated",
        page="huggingface.co/raidium/curia, curia-2",
        names_in_file="embeddings.cls_token, encoder.layer.0. ...",
        reference="Dancette et al., Curia: A multi-modal foundation model for radiology, arXiv:2509.06830",
        remark="Trained on whole slices. It wants rows of coronal and sagittal slices from head to foot; only axial "
        "slices are shown to it in the order of its training.",
    ),
    "brainiac": PublishedNetwork(
        title="BrainIAC",
        architecture="3-D ViT-B/16",
        modality="MR, brain",
        n_features=768,
        size=96,
        spacing_mm=2.0,
        orientation="RAS",
        standardize="nonzero",
        fixed_size=True,
        licence="non-commercial, academic (MGB)",
        page="github.com/AIM-KannLab/BrainIAC",
        names_in_file="state_dict: backbone.patch_embedding. ...",
        reference="Tak et al., A generalizable foundation model for analysis of human brain MRI, Nature Neuroscience "
        "(2026)",
        remark="Trained on whole heads without skull, in an atlas, each resized to 96 cubed: as the region 'whole' "
        "with window='exact' is. Features are those of the first patch token.",
    ),
    **{
        f"voco-{letter.lower()}": PublishedNetwork(
            title=f"VoCo-{letter}",
            architecture=f"Swin UNETR v2 encoder, {width}",
            n_features=16 * width,
            page=f"huggingface.co/Luffy503/VoCo, VoCo_{letter}_SSL_head.pt",
            **_VOCO,
        )
        for letter, width in (("B", 48), ("L", 96), ("H", 192))
    },
}


def published_networks(dimensions=None):
    """Return a table of the networks of others that `DeepFeatureExtractor` knows by name.

    Their weights are files from the page that the table names, given as `weights`; none are downloaded.

    Parameters
    ----------
    dimensions : None, 2 or 3, default=None
        Only networks for slices (2) or for cubes (3).

    Returns
    -------
    pandas.DataFrame
        A row per network, by its name in radiodeep, with the columns

        - `title`, `architecture`, `modality`, `n_features`;
        - `input`: size of the squares or cubes in pixels, and spacing of cubes;
        - `orientation`: where the three axes of a cube point to, as in MONAI. "SPL" are the axes of radiodeep: the
          first to superior, the second to posterior, the third to the left. Cubes are turned and mirrored accordingly;
        - `normalization` of intensities;
        - `licence`, `page` of the weights, `names_in_file`, `reference`, `remark`;
        - the numbers behind these words: `size`, `dimensions`, `channels`, `spacing_mm`, `intensity_range`,
          `standardize`, `mean`, `std`.

    Raises
    ------
    InputError
        If `dimensions` is something else.

    Examples
    --------
    >>> from radiodeep import published_networks
    >>> table = published_networks()
    >>> table.loc["ct-fm", ["input", "orientation", "normalization"]].tolist()
    ['48 cubed, 1 mm', 'SPL', 'HU -1024 to 2048 -> 0..1']
    >>> published_networks(dimensions=2).index.tolist()
    ['rad-dino', 'curia']
    """
    require_option(dimensions, (None, 2, 3), "published_networks", "dimensions")
    rows = {
        name: asdict(network) | {"input": network.input, "normalization": network.normalization}
        for name, network in PUBLISHED.items()
        if dimensions in (None, network.dimensions)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")
