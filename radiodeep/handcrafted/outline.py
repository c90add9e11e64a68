"""In: a mask. Out: the faces of its outline."""

import numpy as np


def outline_faces(mask):
    """Return the voxels inside and outside at every face between two voxels of a boolean mask: int (n_faces, n_axes).

    Faces at the border of the array do not count.
    """
    inside, outside = [], []
    for step in np.eye(mask.ndim, dtype=int):
        change = np.diff(mask.view(np.int8), axis=step.argmax())
        enters, leaves = np.argwhere(change == 1), np.argwhere(change == -1)
        inside += [enters + step, leaves]
        outside += [enters, leaves + step]
    return np.concatenate(inside), np.concatenate(outside)
