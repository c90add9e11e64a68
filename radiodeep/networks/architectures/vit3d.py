"""Cubes -> features: a vision transformer for cubes, with the layer names of MONAI's ViT.

A. Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021.
"""

import torch
from torch import nn
from torch.nn import functional


class VisionTransformer3d(nn.Module):
    """Vision transformer for cubes of `side` voxels, without a class token.

    (n, in_channels, side, side, side) -> (n, n_classes), or the first patch token (n, width) as features, which is
    what BrainIAC was trained with.

    Parameters
    ----------
    side, patch : int
        Sides of cubes and of patches in voxels.
    width, hidden, n_blocks, n_heads : int
        Length of tokens, width of the inner layer, number of blocks and of attention heads.
    """

    classifier_name = "fc"

    def __init__(self, in_channels=1, n_classes=0, side=96, patch=16, width=768, hidden=3072, n_blocks=12, n_heads=12):
        super().__init__()
        self.patch_embedding = _Patches(in_channels, (side // patch) ** 3, patch, width)
        self.blocks = nn.Sequential(*(_Block(width, hidden, n_heads) for _ in range(n_blocks)))
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        """Return the first patch token, shape (n, width)."""
        return self.norm(self.blocks(self.patch_embedding(images)))[:, 0]

    def forward(self, images):
        return self.fc(self.forward_features(images))


class _Patches(nn.Module):
    def __init__(self, in_channels, n_patches, patch, width):
        super().__init__()
        self.patch_embeddings = nn.Conv3d(in_channels, width, patch, stride=patch)
        self.position_embeddings = nn.Parameter(torch.randn(1, n_patches, width) * 0.02)

    def forward(self, images):
        return self.patch_embeddings(images).flatten(2).transpose(1, 2) + self.position_embeddings


class _Block(nn.Module):
    def __init__(self, width, hidden, n_heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width, n_heads)
        self.mlp = nn.ModuleDict({"linear1": nn.Linear(width, hidden), "linear2": nn.Linear(hidden, width)})

    def forward(self, tokens):
        tokens = tokens + self.attn(self.norm1(tokens))
        inner = functional.gelu(self.mlp["linear1"](self.norm2(tokens)))
        return tokens + self.mlp["linear2"](inner)


class _Attention(nn.Module):
    def __init__(self, width, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.qkv, self.out_proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)

    def forward(self, tokens):
        query, key, value = self.qkv(tokens).unflatten(2, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(attended.transpose(1, 2).flatten(2))
