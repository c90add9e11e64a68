"""The parameters of a study -> their checks, and the plans of its folds."""

from dataclasses import dataclass

from radiodeep.checks import require_n_jobs, require_option
from radiodeep.exceptions import StudyError
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

    def check(self):
        """Raise StudyError for `on_error` and `n_jobs` out of range; the others are checked where they are used."""
        require_option(self.on_error, ("raise", "exclude"), "a study", "on_error", StudyError)
        require_n_jobs(self.n_jobs, "a study", StudyError)

    def plans(self, study, endpoint):
        """Return the `Plan` of `cv`, followed by its companion if it leaves one case or group out."""
        plans = [plan_of(self.cv, endpoint, study.groups, self.n_repeats, self.random_state)]
        if plans[0].leaves_one_out or plans[0].name == "leave-one-group-out":
            companion = companion_plan(endpoint, study.groups, self.n_repeats, self.random_state)
            plans += [] if companion is None else [companion]
        for plan in plans:
            check_folds(plan, endpoint, study.ids, study.groups, study.patients)
        return plans
