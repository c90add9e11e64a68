"""Module and class as an older model file names them -> module and class today.

Whoever moves or renames a class whose instances are saved in models adds a line to `MOVED_MODULES` or `MOVED_CLASSES`.
"""

import io
import json
import zipfile

from joblib.numpy_pickle import NumpyUnpickler

MOVED_MODULES = {
    "radiodeep.classifiers.cnn": "radiodeep.models.cnn",
    "radiodeep.classifiers.coarse": "radiodeep.models.coarse",
    "radiodeep.classifiers.ensemble": "radiodeep.models.ensemble",
    "radiodeep.classifiers.network_estimator": "radiodeep.models.network_estimator",
    "radiodeep.classifiers.weka": "radiodeep.models.weka",
    "radiodeep.features.deep": "radiodeep.features.deep.extractor",
    "radiodeep.features.fine_tuning": "radiodeep.features.deep.fine_tuning",
    "radiodeep.features.radiomics": "radiodeep.features.radiomics.extractor",
    "radiodeep.networks.arch3d": "radiodeep.networks.architectures.arch3d",
    "radiodeep.networks.augmentation": "radiodeep.networks.training.augmentation",
    "radiodeep.networks.cnn_f": "radiodeep.networks.architectures.cnn_f",
    "radiodeep.networks.mini": "radiodeep.networks.architectures.mini",
    "radiodeep.networks.pooled_convolution": "radiodeep.networks.modules",
    "radiodeep.networks.slice_networks": "radiodeep.networks.architectures.slice_networks",
    "radiodeep.networks.study_networks": "radiodeep.networks.architectures.study_networks",
    "radiodeep.networks.teaching_networks": "radiodeep.networks.architectures.teaching_networks",
    "radiodeep.networks.volumetric": "radiodeep.networks.architectures.volumetric",
    "radiodeep.selection.discretize": "radiodeep.preparation.discretize",
    "radiodeep.selection.harmonize": "radiodeep.preparation.harmonize",
}
# Classes that left a module which still exists, or have another name now; modules here are those of today.
MOVED_CLASSES = {}  # (module, class): (module, class)


def present_name(module, name):
    """Return module and name today of a class that a model file names."""
    module = MOVED_MODULES.get(module, module)
    return MOVED_CLASSES.get((module, name), (module, name))


def load_joblib(file):
    """Load what `joblib.dump` wrote to an open file, with classes looked up where they are today."""
    return _Unpickler("", file, ensure_native_byte_order=True).load()


def with_present_names(path):
    """Return the path of a .skops file, or a copy in memory with the names of today, if classes in it have moved.

    The copy lacks what radiodeep stores beside the model.
    """
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
        if not _rename(schema):
            return path
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w") as renamed:
            renamed.writestr("schema.json", json.dumps(schema))
            for member in archive.namelist():
                if member != "schema.json" and not member.startswith("radiodeep"):
                    renamed.writestr(member, archive.read(member))
    copy.seek(0)
    return copy


def _rename(node):
    """Rename moved classes in a node of a schema and below it; return whether there were any."""
    changed = False
    children = node if isinstance(node, list) else ()
    if isinstance(node, dict):
        children = node.values()
        known = node.get("__module__"), node.get("__class__")
        if all(isinstance(part, str) for part in known) and present_name(*known) != known:
            node["__module__"], node["__class__"] = present_name(*known)
            changed = True
    for child in children:
        changed = _rename(child) or changed
    return changed


class _Unpickler(NumpyUnpickler):
    def find_class(self, module, name):
        return super().find_class(*present_name(module, name))
