"""Cubes -> features: the encoder of Swin UNETR, built by MONAI (extra `segmentation`).

Y. He et al., SwinUNETR-V2, MICCAI 2023.
"""

from torch import nn

from radiodeep.extras import require_package


class SwinUnetrEncoder(nn.Module):
    """Encoder of Swin UNETR v2; the maps of its last level, averaged, are the features.

    (n, in_channels, z, y, x) -> (n, n_classes), or (n, 16 * width) features.
    """

    classifier_name = "fc"

    def __init__(self, in_channels=1, n_classes=0, width=48):
        for package in ("monai", "einops"):  # MONAI asks for einops only when the network is used
            require_package(package)
        from monai.networks.nets.swin_unetr import SwinTransformer

        super().__init__()
        self.swinViT = SwinTransformer(
            in_chans=in_channels,
            embed_dim=width,
            window_size=(7, 7, 7),
            patch_size=(2, 2, 2),
            depths=(2, 2, 2, 2),
            num_heads=(3, 6, 12, 24),
            use_v2=True,
        )
        self.fc = nn.Linear(16 * width, n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        """Return the features, averaged over the cube, shape (n, n_features)."""
        return self.swinViT(images)[-1].mean(dim=(2, 3, 4))

    def forward(self, images):
        return self.fc(self.forward_features(images))
