"""The package is built as it was designed: imports point down, files and functions stay readable, docstrings exist."""

import ast
import inspect
import shutil
import subprocess
import sys
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path

import grimp
import pytest

import radiodeep

# Imports of the package inside a function, with the reason.
LATE_IMPORTS = {
    "cli/main.py": "the application takes a second to import, in which Ctrl-C must already be a sentence",
}
# Constructors of more than 15 parameters, with the reason.
LONG_CONSTRUCTORS = {
    "RadiomicsExtractor": "its parameters are the settings of pyradiomics, under their names",
    "DeepFeatureExtractor": "a network's input takes them, and each is searched by its own name",
    "FineTunedFeatureExtractor": "those of DeepFeatureExtractor and the training",
}
LONGEST_FUNCTION = 50  # lines of code, without docstring and signature


@cache
def trees():
    package = Path(radiodeep.__file__).parent
    return {str(path.relative_to(package)): ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}


def functions_in(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def imported_from_package(node):
    """Yield (module, name) of the imports of radiodeep's own code in a node."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "radiodeep":
        yield from ((node.module, alias.name) for alias in node.names)
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names if alias.name.partition(".")[0] == "radiodeep")


def test_imports_point_down(repository):
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    done = subprocess.run([linter, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph("radiodeep")  # imports inside functions included
    left = {module: set(graph.find_modules_directly_imported_by(module)) - {"radiodeep"} for module in graph.modules}
    while ends := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in ends:
            del left[module]
    assert left == {}


def test_no_private_name_is_imported():
    private = [
        f"{path}: {name} of {module}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        for module, name in imported_from_package(node)
        if name.startswith("_") and not name.startswith("__")
    ]
    assert private == []


def test_no_function_imports_the_package():
    late = {
        path
        for path, tree in trees().items()
        for function in functions_in(tree)
        for node in ast.walk(function)
        if list(imported_from_package(node))
    }
    assert late == set(LATE_IMPORTS)


def test_no_file_is_longer_than_400_lines(repository):
    long = {
        str(path.relative_to(repository)): lines
        for path in (repository / "radiodeep").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def code_lines(function):
    """Return the lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_no_function_is_longer_than_50_lines():
    long = {
        f"{path}: {function.name}": code_lines(function)
        for path, tree in trees().items()
        for function in functions_in(tree)
        if code_lines(function) > LONGEST_FUNCTION
    }
    assert long == {}


@pytest.mark.parametrize("name", sorted(set(radiodeep.__all__) - {"__version__"}))
def test_constructors_have_at_most_15_parameters(name):
    public = getattr(radiodeep, name)
    if inspect.isclass(public) and not is_dataclass(public):  # which are results
        n_parameters = len(inspect.signature(public).parameters)
        assert n_parameters <= 15 or name in LONG_CONSTRUCTORS, n_parameters


def test_pipelines_are_at_most_80_lines(repository):
    for path in (repository / "pipelines").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, path.name


def test_every_public_thing_is_documented_with_what_it_takes():
    for name in set(radiodeep.__all__) - {"__version__"}:
        text = getattr(radiodeep, name).__doc__
        assert "Parameters\n" in text or "Attributes\n" in text, name
