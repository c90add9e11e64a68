"""The parameters of a study -> their checks, and the plans of its folds."""

from dataclasses import dataclass

from radiodeep.checks import require_n_jobs, require_option
from radiodeep.exceptions import StudyError
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.folds.origins import sources_of_rows
from radiodeep.study.folds.splits import check_folds, companion_plan, plan_of


@dataclass(frozen=True, eq=False)
class StudyDesign:
    """The parameters of `cross_validated_auc` other than the model, the cases and their labels, unchecked."""

    cv: object
    groups: object
    n_jobs: int | None
    n_repeats: int
    size: object
    random_state: int
    confidence_level: float
    positive: object
    on_error: str
    cache_dir: object
    outcome: str = "auto"
    horizon: float | None = None
    centres: object = None

    def check(self):
        """Raise StudyError for `on_error` and `n_jobs` out of range; the others are checked where they are used."""
        require_option(self.on_error, ("raise", "exclude"), "a study", "on_error", StudyError)
        require_n_jobs(self.n_jobs, "a study", StudyError)

    def endpoint(self, study, y):
        """Return the endpoint of the outcomes of a StudyInput."""
        return endpoint_for(
            study.aligned(y, "y"),
            len(study.ids),
            self.positive,
            outcome=self.outcome,
            patients=study.clusters,
            horizon=self.horizon,
        )

    def plans(self, study, endpoint):
        """Return the `Plan` of `cv`, followed by its companion unless it repeats folds, which an interval needs.

        Centres need no companion: they are tested as independent cohorts.
        """
        plans = [plan_of(self.cv, endpoint, study.groups, self.n_repeats, self.random_state, study.centres)]
        if plans[0].kind not in ("repeated", "centres"):
            companion = companion_plan(endpoint, study.groups, self.n_repeats, self.random_state)
            plans += [] if companion is None else [companion]
        for plan in plans:
            check_folds(plan, endpoint, study.ids, study.groups, study.patients, sources_of_rows(study))
        return plans
