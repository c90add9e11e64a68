"""Settings of the documentation: `sphinx-build -W .docs site` builds it and runs every example."""

import os
from pathlib import Path

import radiodeep

os.environ["RADIODEEP_PROGRESS"] = "0"

project = "radiodeep"
author = "The radiodeep developers"
copyright = f"2026, {author}"
version = release = radiodeep.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_gallery.gen_gallery", "myst_nb"]
exclude_patterns = ["examples", "gallery/*.ipynb", "gallery/*.py"]
templates_path = ["templates"]
html_theme = "pydata_sphinx_theme"
html_title = f"radiodeep {version}"
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": False}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
suppress_warnings = ["config.cache"]
default_role = "code"
nb_execution_mode = "force"
nb_execution_raise_on_error = True

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r".*\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "capture_repr": ("_repr_html_",),
}

ROOMS = {
    "Cases": ("cases", "imaging"),
    "Features": ("features",),
    "Preparation and selection": ("preparation", "selection"),
    "Models": ("models", "networks"),
    "Segmentation": ("segmenters", "mask_evidence", "handcrafted"),
    "Studies and statistics": ("study", "controls", "contributions"),
    "Reports, saved models and scores": ("report", "persistence", "scoring"),
}


def _write_api(app):
    """List every public name by the room that it lives in; a name without a room is an error."""
    rooms = {name: home.split(".")[0] for name, home in radiodeep._HOME_OF.items()}
    listed = {title: sorted(name for name in rooms if rooms[name] in chosen) for title, chosen in ROOMS.items()}
    missing = set(rooms) - set().union(*listed.values())
    if missing:
        raise ValueError(f"Names without a place in the reference: {sorted(missing)}")
    lines = ["Reference", "=========", "", ".. currentmodule:: radiodeep", ""]
    for title, names in listed.items():
        lines += [title, "-" * len(title), "", ".. autosummary::", "   :toctree: generated", ""]
        lines += [*(f"   {name}" for name in names), ""]
    text = "\n".join(lines)
    path = Path(app.srcdir) / "reference.rst"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _is_inherited(app, kind, name, member, skip, options):
    """Leave out the methods that scikit-learn adds to every estimator."""
    return True if name.endswith("_request") or name == "get_metadata_routing" else None


def setup(app):
    app.connect("autodoc-skip-member", _is_inherited)
    _write_api(app)  # before Sphinx looks for documents
