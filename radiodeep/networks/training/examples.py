"""Images and targets, in memory or made on the way -> the batches of an epoch."""

from dataclasses import dataclass

import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.devices import to_device


@dataclass
class Examples:
    """Images in memory, with targets and weights.

    Attributes
    ----------
    images : float32 tensor of shape (n, channels, height, width)
        Or (n, length, channels, height, width), sequences of slices; or (n, channels, depth, height, width), cubes.
    targets : tensor of shape (n, ...)
    weights : float32 tensor of shape (n,), optional
        Weight of each example in the loss; 1 by default.
    """

    images: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor | None = None

    def __post_init__(self):
        if self.weights is None:
            self.weights = torch.ones(len(self.images))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, chosen):
        images = first_plane(self.images)[chosen].expand(-1, *self.images.shape[1:])
        return Examples(images, self.targets[chosen], self.weights[chosen])

    def epoch(self, training, generator, device="cpu"):
        """Yield (images, targets, weights) of each batch on a device, in an order drawn from a `torch.Generator`."""
        if not len(self):
            raise InputError("A network cannot be fitted to no examples. Give at least one.")
        order = torch.randperm(len(self) * training.n_views, generator=generator) % len(self)
        for indices in order.tensor_split(-(-len(order) // int(training.batch_size))):
            yield tuple(to_device(part[indices], device) for part in (self.images, self.targets, self.weights))

    def tensors(self):
        """Return the tensors by name, by which a checkpoint recognises its examples."""
        return {"images": self.images, "targets": self.targets, "weights": self.weights}


class ExampleStream:
    """Examples that are made during the training: every epoch takes the next batch and shows it once.

    `batches` is an iterable of (images, targets), tensors of shapes (n, channels, height, width) and (n, ...).
    """

    def __init__(self, batches):
        self._batches = iter(batches)

    def epoch(self, training, generator, device="cpu"):
        """Yield (images, targets, weights) of the next batch on a device; the other arguments have no effect."""
        batch = next(self._batches, None)
        if batch is None:
            raise InputError("The stream of examples has ended before the training. Give one batch per epoch.")
        images, targets = batch
        # Strides of channels last also for images of one channel, of which torch would otherwise keep the others.
        images = to_device(images, device)
        if images.ndim == 4:
            images = images.to(memory_format=torch.channels_last)
        yield images, to_device(targets, device), torch.ones(len(images), device=device)

    def tensors(self):
        """Raise InputError, since a stream cannot be compared with that of an earlier run."""
        raise InputError("A training on a stream of examples cannot be resumed. Leave out the checkpoint.")


def first_plane(images):
    """Return the plane (..., 1, height, width) that all channels share in memory, or the images if they share none."""
    return images.narrow(-3, 0, 1) if images.stride(-3) == 0 else images
