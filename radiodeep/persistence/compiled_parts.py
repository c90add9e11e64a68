"""Checks that no array of a model from a file would crash the process.

scikit-learn's compiled code indexes the arrays of trees and support vector machines without checking bounds. Arrays
from a file are therefore checked here before the model is used.
"""

import numpy as np
import scipy.sparse
from sklearn.base import is_classifier
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from sklearn.tree._tree import Tree

from radiodeep.exceptions import ModelError
from radiodeep.model_parts import parts_of

_LEAF = -1
_OF_FEATURES = ("cluster_centers_", "_fit_X")  # arrays with a column per feature, which compiled code reads


def check_compiled_parts(model, name):
    """Raise a ModelError if arrays inside a model would lead compiled code outside of its memory.

    Nothing in the model has been used yet; `name` is that of its file, for the message.
    """
    for part in parts_of(model):
        problem = _problem(part)
        if problem:
            raise ModelError(
                f"'{name}' is damaged or was made to crash the program: {problem} of its {type(part).__name__} cannot "
                "be right. Get the file again from somebody you trust, or train the model again."
            )


def _problem(part):
    """Return what is wrong with a part, or None."""
    if scipy.sparse.issparse(part):
        return _sparse_problem(part)
    n_features = vars(part).get("n_features_in_") if hasattr(part, "__dict__") else None
    if n_features is None:
        return None
    for attribute in _OF_FEATURES:
        values = getattr(part, attribute, None)
        if isinstance(values, np.ndarray) and (values.ndim != 2 or values.shape[1] != n_features):
            return f"'{attribute}'"
    if isinstance(part, SVC | NuSVC | SVR | NuSVR | OneClassSVM) and hasattr(part, "support_"):
        return _support_vector_problem(part, n_features)
    if isinstance(part, GradientBoostingClassifier | GradientBoostingRegressor) and hasattr(part, "estimators_"):
        return _boosting_problem(part, n_features) or _forest_problem(part, n_features)
    if isinstance(getattr(part, "tree_", None), Tree):
        return _tree_problem(part.tree_, n_features)
    return _forest_problem(part, n_features)


def _tree_problem(tree, n_features):
    count = tree.node_count
    if not 0 < count <= tree.capacity or tree.n_features != n_features:
        return "the number of nodes or features"
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = np.flatnonzero(left != _LEAF)
    for children in (left[inner], right[inner]):
        if (children <= inner).any() or (children >= count).any():  # children come after their parent: no circles
            return "the children of nodes"
    if (feature[inner] < 0).any() or (feature[inner] >= n_features).any():
        return "the features of nodes"
    return None


def _forest_problem(part, n_features):
    """Return a problem if a tree does not expect the columns that its ensemble hands to it unchecked."""
    columns = getattr(part, "estimators_features_", None)
    members = np.ravel(np.asarray(getattr(part, "estimators_", []), dtype=object)).tolist()
    for number, member in enumerate(members):
        tree = getattr(member, "tree_", None)
        expected = n_features if columns is None else len(columns[number])
        if isinstance(tree, Tree) and tree.n_features != expected:
            return "the number of features of a tree"
    return None


def _boosting_problem(part, n_features):
    n_columns = len(part.classes_) if is_classifier(part) and len(part.classes_) > 2 else 1
    if np.shape(part.estimators_)[1:] != (n_columns,):
        return "the number of trees"
    if any(member.tree_.n_outputs != 1 for member in part.estimators_.ravel()):
        return "the outputs of a tree"
    if n_columns > 1 and hasattr(part.init_, "predict_proba"):
        start = part.init_.predict_proba(np.zeros((1, n_features)))
        if np.shape(start) != (1, n_columns):
            return "the start"
    return None


def _support_vector_problem(part, n_features):
    counts, n_vectors = part._n_support, len(part.support_)
    is_classification = isinstance(part, SVC | NuSVC)
    n_classes = len(counts) if is_classification else 2
    n_pairs = n_classes * (n_classes - 1) // 2
    shapes = {"_dual_coef_": (n_classes - 1, n_vectors), "_intercept_": (n_pairs,)}
    if part.kernel != "precomputed":  # which has no vectors
        shapes["support_vectors_"] = (n_vectors, n_features)
    for attribute, shape in shapes.items():
        if getattr(part, attribute).shape != shape:
            return f"'{attribute}'"
    if any(np.size(values) not in (0, n_pairs) for values in (part._probA, part._probB)):
        return "'_probA'"
    outside = n_vectors and not 0 <= part.support_.min() <= part.support_.max() < part.shape_fit_[0]
    if outside or (is_classification and (counts.min() < 0 or counts.sum() != n_vectors)):
        return "the numbers of the support vectors"
    return None


def _sparse_problem(matrix):
    try:
        matrix.check_format(full_check=True)
    except AttributeError:
        return None  # a format that scikit-learn's compiled code does not read
    except (ValueError, IndexError, TypeError):
        return "the indices"
    return None
