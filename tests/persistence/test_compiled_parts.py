"""Arrays of a file that would lead compiled code out of its memory are refused before the model is used."""

import copy

import numpy as np
import pytest
import scipy.sparse
import sklearn
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

import radiodeep as rd
from radiodeep.exceptions import ModelError
from radiodeep.persistence.compiled_parts import check_compiled_parts
from radiodeep.persistence.containers import write_skops

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.arange(60) % 3


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(),
        RandomForestClassifier(3, ccp_alpha=0.02),
        GradientBoostingClassifier(n_estimators=2),
        GradientBoostingRegressor(n_estimators=2),
        BaggingClassifier(n_estimators=3, max_features=2),
        IsolationForest(n_estimators=3, max_features=2),
        SVC(),
        NuSVC(),
        SVR(),
        OneClassSVM(),
        KMeans(3, n_init=1),
        KNeighborsClassifier(algorithm="brute"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_scikit_learn_fitted_is_accepted(model):
    check_compiled_parts(make_pipeline(StandardScaler(), model).fit(X, Y), "model.skops")


def test_a_precomputed_and_a_sparse_kernel_are_accepted():
    check_compiled_parts(SVC(kernel="precomputed").fit(X @ X.T, Y), "model.skops")
    check_compiled_parts(SVC().fit(scipy.sparse.csr_matrix(X), Y), "model.skops")


def with_nodes(tree, column, value):
    """Change the first inner node of a tree, as a hostile file would."""
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][column][0] = value
    tree.__setstate__(state)


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("left_child", 10**8, "the children of nodes"),
        ("right_child", -5, "the children of nodes"),
        ("left_child", 0, "the children of nodes"),  # a circle
        ("feature", 3, "the features of nodes"),
        ("feature", -3, "the features of nodes"),
    ],
)
def test_a_tree_whose_nodes_point_elsewhere_is_refused(column, value, problem):
    model = make_pipeline(StandardScaler(), RandomForestClassifier(2, random_state=0)).fit(X, Y)
    with_nodes(model[-1].estimators_[1].tree_, column, value)
    with pytest.raises(ModelError, match=f"{problem} of its DecisionTreeClassifier cannot be right"):
        check_compiled_parts(model, "model.skops")


def test_a_hostile_tree_in_a_file_does_not_reach_predict(tmp_path):
    model = RandomForestClassifier(2, random_state=0).fit(X, Y)
    with_nodes(model.estimators_[0].tree_, "left_child", 10**8)
    path = tmp_path / "model.skops"
    write_skops(model, {"scikit-learn": sklearn.__version__}, {}, path, path.name)  # save_model would predict
    with pytest.raises(ModelError, match="was made to crash the program: the children of nodes"):
        rd.load_model(path)


def test_a_tree_without_nodes_is_refused():
    model = DecisionTreeClassifier().fit(X, Y)
    model.tree_ = type(model.tree_)(3, np.array([3]), 1)
    with pytest.raises(ModelError, match="the number of nodes"):
        check_compiled_parts(model, "model.skops")


@pytest.mark.parametrize("model", [RandomForestClassifier(2), GradientBoostingClassifier(n_estimators=2)])
def test_trees_of_other_features_than_their_forest_are_refused(model):
    model.fit(X, Y)
    wide = type(np.ravel(model.estimators_)[0])().fit(np.hstack([X, X]), Y)
    model.estimators_[0] = [wide] * 3 if isinstance(model, GradientBoostingClassifier) else wide
    with pytest.raises(ModelError, match="the number of features of a tree"):
        check_compiled_parts(model, "model.skops")


def test_boosting_with_more_trees_than_classes_is_refused():
    model = GradientBoostingClassifier(n_estimators=2).fit(X, Y)
    model.estimators_ = np.hstack([model.estimators_, model.estimators_])
    with pytest.raises(ModelError, match="the number of trees"):
        check_compiled_parts(model, "model.skops")
    start = GradientBoostingClassifier(n_estimators=2).fit(X, Y)
    start.init_ = copy.deepcopy(start.init_).fit(X, Y % 2)
    with pytest.raises(ModelError, match="the start of its GradientBoostingClassifier"):
        check_compiled_parts(start, "model.skops")


@pytest.mark.parametrize(
    ("attribute", "change"),
    [
        ("_n_support", lambda values: values + 1000),
        ("_n_support", lambda values: values * np.array([-1, 1, 1], values.dtype)),
        ("_dual_coef_", lambda values: values[:1]),
        ("_intercept_", lambda values: values[:1]),
        ("_probA", lambda values: np.zeros(1)),
        ("support_", lambda values: values + 1000),
        ("support_vectors_", lambda values: values[:, :1]),
        ("support_vectors_", lambda values: values[:2]),
    ],
)
def test_a_support_vector_machine_whose_arrays_disagree_is_refused(attribute, change):
    model = SVC().fit(X, Y)
    setattr(model, attribute, change(getattr(model, attribute)))
    with pytest.raises(ModelError, match="of its SVC cannot be right"):
        check_compiled_parts(model, "model.skops")


def test_other_arrays_that_compiled_code_reads_are_checked():
    near = KNeighborsClassifier(algorithm="brute").fit(X, Y)
    near._fit_X = near._fit_X[:, :2]
    means = KMeans(3, n_init=1).fit(X)
    means.cluster_centers_ = means.cluster_centers_[:, :2]
    sparse = SVC().fit(scipy.sparse.csr_matrix(X), Y)
    sparse.support_vectors_.indices[0] = 10**6
    for model, problem in ((near, "'_fit_X'"), (means, "'cluster_centers_'"), (sparse, "the indices")):
        with pytest.raises(ModelError, match=problem):
            check_compiled_parts(model, "model.skops")
