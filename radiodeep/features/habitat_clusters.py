"""Intensities of voxels (n_voxels, n_images) -> habitats: clusters in a fixed order, and the cluster of each voxel."""

from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

METHODS = ("kmeans", "gaussian")
_N_STARTS = 10  # of which the best is kept
_ALIKE = 0.25  # z-scores of one image: the order of closer centres would change from fold to fold


class Clusters(NamedTuple):
    """Clusters by ascending mean of the first image, those alike in it by that of the next.

    Attributes
    ----------
    centres, deviations : float64 ndarray of shape (n_clusters, n_images)
        Mean of each cluster, and standard deviation of the voxels that belong to it.
    weights : float64 ndarray of shape (n_clusters,)
        Share of the voxels; of a Gaussian mixture its weights.
    covariances : float64 ndarray of shape (n_clusters, n_images, n_images), or None for k-means
    """

    centres: np.ndarray
    deviations: np.ndarray
    weights: np.ndarray
    covariances: np.ndarray | None

    @classmethod
    def of(cls, values, n_clusters, method, random_state):
        """Return the clusters of voxels (n_voxels, n_images)."""
        with threadpool_limits(1):  # sums of several threads depend on their order
            if method == "kmeans":
                found = KMeans(n_clusters, n_init=_N_STARTS, tol=0, random_state=random_state).fit(values)
                members = [values[found.labels_ == number] for number in range(n_clusters)]
                weights = np.array([len(voxels) / len(values) for voxels in members])
                deviations = np.array([voxels.std(axis=0) for voxels in members])
                centres, covariances = found.cluster_centers_, None
            else:
                found = GaussianMixture(n_clusters, n_init=_N_STARTS, random_state=random_state, max_iter=1000)
                found.fit(values)
                centres, weights, covariances = found.means_, found.weights_, found.covariances_
                deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
        order = _order(centres, np.arange(n_clusters))
        covariances = None if covariances is None else covariances[order]
        return cls(centres[order], deviations[order], weights[order], covariances)

    def nearest(self, values):
        """Return the cluster of each voxel: the nearest centre, or the most probable Gaussian of a mixture."""
        return np.argmin(self._distances(values), axis=1)

    def _distances(self, values):
        if self.covariances is None:
            return (self.centres**2).sum(axis=1) - 2 * values @ self.centres.T  # squared, less that from the origin
        distances = []  # -2 log likelihood, less a constant
        for centre, weight, covariance in zip(self.centres, self.weights, self.covariances, strict=True):
            root = np.linalg.cholesky(covariance)
            whitened = np.linalg.solve(root, (values - centre).T)
            distances.append((whitened**2).sum(axis=0) + 2 * np.log(np.diag(root)).sum() - 2 * np.log(weight))
        return np.stack(distances, axis=1)


def _order(centres, chosen, image=0):
    """Return some of the centres in ascending order in an image, groups of those alike in it by the next images."""
    chosen = chosen[np.argsort(centres[chosen, image], kind="stable")]
    if len(chosen) < 2 or image + 1 == centres.shape[1]:
        return chosen
    groups = np.split(chosen, np.flatnonzero(np.diff(centres[chosen, image]) >= _ALIKE) + 1)
    return np.concatenate([_order(centres, group, image + 1) for group in groups])
