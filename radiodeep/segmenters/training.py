"""Number of epochs -> the plan by which a U-Net learns to outline lesions."""

from radiodeep.networks.training.augmentation import Augmentation
from radiodeep.networks.training.plan import Training


def segmentation_training(epochs=40):
    """Return the plan that `UNetSegmenter` has by default, with this number of epochs.

    Parameters
    ----------
    epochs : int, default=40

    Returns
    -------
    Training
        4 patches per case and epoch in batches of 4, AdamW with one cycle of learning rates up to 0.003, small turns,
        flips, zooms and changes of intensity, and a fifth of the patients held out.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.segmentation_training(10).set_params(n_views=8).epochs
    10
    """
    return Training(
        epochs,
        n_views=4,
        batch_size=4,
        learning_rate=3e-3,
        schedule="one-cycle",
        optimizer="adamw",
        weight_decay=1e-4,
        augmentation=Augmentation(rotation=30.0, zoom=0.2, intensity=0.1, noise=0.02),
        validation_fraction=0.2,
    )
