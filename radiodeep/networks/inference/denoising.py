"""Network that removes noise and a slice -> the slice without noise, computed in parts of limited memory."""

import numpy as np
import torch

from radiodeep.networks.devices import chosen_device
from radiodeep.networks.weights.denoisers import load_denoiser

__all__ = ["chosen_device", "denoised_slice", "load_denoiser"]  # all that `radiodeep.features.denoiser` needs of torch

PIXELS_AT_ONCE = 2**20  # with the border that parts share: 200 MB in DnCNN


def denoised_slice(network, image, sigma, pixels_at_once=PIXELS_AT_ONCE):
    """Return a slice (y, x) without noise of deviation `sigma`, as float32; `network` is one of `DENOISERS`.

    A large slice is computed in bands of rows, with so many rows around each that the result is the same as at once,
    but for rounding.
    """
    device = next(network.parameters()).device
    mean = float(np.mean(image, dtype=np.float64))
    step, reach = network.STEP, network.REACH
    height, width = image.shape
    # Borders are mirrored, and each side made a multiple of the step.
    below, right = (reach + -size % step for size in image.shape)
    padded = np.pad((image - mean).astype(np.float32), ((reach, below), (reach, right)), mode="symmetric")
    rows = max(step, (pixels_at_once // padded.shape[1] - 2 * reach) // step * step)
    bands = []
    with torch.inference_mode():
        for top in range(0, height, rows):
            band = torch.from_numpy(padded[top : top + rows + 2 * reach]).to(device)[None, None]
            output = network(torch.cat([band, torch.full_like(band, sigma)], dim=1))
            bands.append(output[0, 0, reach:-reach, reach : reach + width].cpu().numpy())
    return np.concatenate(bands)[:height] + np.float32(mean)
