"""Estimators whose settings are grouped in objects and accepted by their own names as well."""

from sklearn.base import BaseEstimator, clone


class GroupedSettings(BaseEstimator):
    """An estimator with constructor parameters, such as `training`, that hold several settings each.

    Settings of a group were parameters of the estimator itself in earlier versions. They are still accepted by their
    own names: by the constructor, by `set_params`, in grid searches, as attributes and in the states of saved models.
    ``set_params(epochs=3)`` is ``set_params(training__epochs=3)``. A group that is None has its default settings, and
    is created as soon as one of them is set.

    A subclass maps the names of its groups to their classes in `setting_groups`, takes further keywords in its
    constructor, and passes them to `_set_by_name`.
    """

    setting_groups = {}  # noqa: RUF012

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        for group, group_class in vars(cls).get("setting_groups", {}).items():
            for name in group_class().get_params():
                setattr(cls, name, _GroupedSetting(group, name))

    def __setstate__(self, state):
        super().__setstate__(self._with_groups(state))

    def get_params(self, deep=True):
        """Return the parameters; with `deep` also the settings of groups, as ``training__epochs`` and as ``epochs``."""
        parameters = super().get_params(deep=deep)
        for group in self.setting_groups if deep else ():
            settings = self._settings_of(group)
            settings = settings.get_params() if hasattr(settings, "get_params") else {}  # else an error of `fit`
            parameters |= settings | {f"{group}__{name}": value for name, value in settings.items()}
        return parameters

    def set_params(self, **parameters):
        """Set parameters of the estimator, or settings of its groups; groups that others may share are copied first."""
        own = {name: value for name, value in parameters.items() if self._group_of(name) is None}
        super().set_params(**own)
        for group in self.setting_groups:
            settings = {
                name.removeprefix(f"{group}__"): value
                for name, value in parameters.items()
                if self._group_of(name) == group
            }
            if settings:
                setattr(self, group, clone(self._settings_of(group)).set_params(**settings))
        return self

    def settings(self):
        """Return all settings by their own names, whatever group they are in, for reports."""
        parameters = self.get_params(deep=False)
        for group in self.setting_groups:
            parameters.pop(group, None)  # a subclass may pass settings by their own names alone
            parameters |= self._settings_of(group).get_params()
        return {"class": type(self).__name__} | dict(sorted(parameters.items()))

    def _settings_of(self, group):
        settings = getattr(self, group)
        return self.setting_groups[group]() if settings is None else settings

    def _group_of(self, name):
        """Return the group of a setting, named ``epochs`` or ``training__epochs``, or None."""
        group, _, setting = name.partition("__")
        if setting and group in self.setting_groups:
            return group
        owner = getattr(type(self), name, None)
        return owner.group if isinstance(owner, _GroupedSetting) else None

    def _set_by_name(self, settings):
        """Set settings that the constructor got by their own names; objects that the user passed are not changed."""
        unexpected = [name for name in settings if self._group_of(name) is None]
        if unexpected:
            raise TypeError(f"{type(self).__name__} got an unexpected keyword argument {unexpected[0]!r}")
        self.set_params(**settings)

    def _with_groups(self, state):
        """Return the state of an estimator; settings that were saved by their own names are put into their groups."""
        grouped = dict(state)
        for group, group_class in self.setting_groups.items():
            if group not in state:
                names = group_class().get_params()
                grouped[group] = group_class(**{name: grouped.pop(name) for name in names if name in grouped})
        return grouped


class _GroupedSetting:
    """Attribute of an estimator that is kept in one of its groups."""

    def __init__(self, group, name):
        self.group = group
        self.name = name

    def __get__(self, estimator, owner=None):
        return self if estimator is None else getattr(estimator._settings_of(self.group), self.name)

    def __set__(self, estimator, value):
        settings = clone(estimator._settings_of(self.group))  # a copy of the estimator may share the group
        setattr(settings, self.name, value)
        setattr(estimator, self.group, settings)
