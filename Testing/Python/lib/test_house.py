"""The rules of the house, read from the code itself."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

GUI = {"slicer", "qt", "ctk", "vtk", "vtkmodules"}
LAYERS = [
    ("MedFusionScene", "MedFusionWidgets"),
    ("MedFusionLib", "MedFusionScene"),
]
TOP = ["training", "tumour", "placement", "assembly", "pipeline", "commands", "cli"]
SIDE = ["io", "align", "segment", "metrics", "trust"]
ABOVE = {
    "volume": ["transforms", "methods", "engine", *SIDE, *TOP],
    "segmentation": ["transforms", "methods", "engine", *SIDE, *TOP],
    "intensity": ["transforms", "methods", "engine", *SIDE, *TOP],
    "weights": ["transforms", "sparse", "networks", "methods", "engine", *SIDE, *TOP],
    "transforms": ["sparse", "networks", "methods", "engine", *SIDE, *TOP],
    "sparse": ["networks", "methods", "engine", *SIDE, *TOP],
    "networks": ["sparse", "methods", "engine", *SIDE, *TOP],
    "methods": ["work", "engine", *SIDE, *TOP],
    "work": ["engine", *SIDE, *TOP],
    "engine": [*SIDE, *TOP],
    **{one: ["methods", "engine", *(other for other in SIDE if other != one), *TOP] for one in SIDE},
    "training": ["tumour", "placement", "assembly", "pipeline", "commands", "cli"],
    "tumour": ["placement", "assembly", "pipeline", "commands", "cli"],
    "placement": ["methods", "engine", "assembly", "pipeline", "commands", "cli"],
    "assembly": ["pipeline", "commands", "cli"],
    "pipeline": ["commands", "cli"],
    "commands": ["cli"],
}
ONLY_IN = {
    "pydicom": {"io"},
    "highdicom": {"io"},
    "nibabel": {"io"},
    "SimpleITK": {"io", "align", "segment"},
    "skimage": {"io", "segment", "training"},
}


def imports(path):
    """Modules that a file imports, with whether at file scope."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in top


def sources(project_folder, package):
    root = project_folder / "MedFusion" / package if package != "MedFusionLib" else project_folder / package
    return sorted(root.rglob("*.py"))


def test_arrows_between_the_packages_run_one_way(project_folder):
    for lower, upper in LAYERS:
        for path in sources(project_folder, lower):
            wrong = [name for name, _ in imports(path) if name.split(".")[0] == upper]
            assert not wrong, f"{path.name} imports {wrong}"


def test_the_library_knows_no_slicer_and_no_qt(project_folder):
    for path in sources(project_folder, "MedFusionLib"):
        wrong = [name for name, _ in imports(path) if name.split(".")[0] in GUI]
        assert not wrong, f"{path} imports {wrong}"


def test_the_scene_knows_no_qt(project_folder):
    for path in sources(project_folder, "MedFusionScene"):
        wrong = [name for name, _ in imports(path) if name.split(".")[0] in {"qt", "ctk"}]
        assert not wrong, f"{path} imports {wrong}"


@pytest.mark.parametrize("part", ABOVE)
def test_arrows_within_the_library_run_one_way(project_folder, part):
    root = project_folder / "MedFusionLib"
    files = sorted((root / part).rglob("*.py")) if (root / part).is_dir() else [root / f"{part}.py"]
    assert files
    for path in files:
        for name, _ in imports(path):
            parts = name.split(".")
            if parts[0] == "MedFusionLib" and len(parts) > 1:
                assert parts[1] not in ABOVE[part], f"{path.relative_to(root)} imports {name}"


@pytest.mark.parametrize("library", ONLY_IN)
def test_third_party_libraries_stay_where_they_belong(project_folder, library):
    root = project_folder / "MedFusionLib"
    for path in sources(project_folder, "MedFusionLib"):
        if path.relative_to(root).parts[0] not in ONLY_IN[library]:
            assert library not in {name.split(".")[0] for name, _ in imports(path)}, path


def test_nothing_heavy_is_imported_with_the_library():
    code = (
        "import sys, time; t = time.perf_counter(); import MedFusionLib; spent = time.perf_counter() - t;"
        "heavy = {'torch', 'SimpleITK', 'pydicom', 'nibabel', 'skimage', 'scipy', 'slicer', 'vtk'} & set(sys.modules);"
        "print(spent, sorted(heavy))"
    )
    spent, heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split(maxsplit=1)
    assert heavy.strip() == "[]"
    assert float(spent) < 0.3


def test_opening_slicer_loads_nothing_heavy(project_folder):
    path = project_folder / "MedFusion" / "MedFusion.py"
    at_start = {name.split(".")[0] for name, is_at_file_scope in imports(path) if is_at_file_scope}
    assert at_start <= {"importlib", "os", "sys", "qt", "slicer"}


def test_slicer_finds_a_module_and_not_a_package(project_folder):
    assert not (project_folder / "MedFusion" / "__init__.py").exists()


def test_packaging_lists_every_package(project_folder):
    text = (project_folder / "pyproject.toml").read_text(encoding="utf-8")
    listed = set(re.findall(r'^ {4}"(MedFusion[\w.]+)",$', text, flags=re.MULTILINE))
    found = set()
    for package, root in (("MedFusionLib", project_folder), ("MedFusionScene", project_folder / "MedFusion")):
        for init in (root / package).rglob("__init__.py"):
            found.add(".".join(init.parent.relative_to(root).parts))
    assert listed == found


def test_no_code_evaluates_text_or_unpickles(project_folder):
    forbidden = {"eval", "exec", "pickle", "shelve", "marshal"}
    for package in ("MedFusionLib", "MedFusionScene"):
        for path in sources(project_folder, package):
            names = {name.split(".")[0] for name, _ in imports(path)}
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names |= {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
            assert not names & forbidden, path
            assert "shell=True" not in path.read_text(encoding="utf-8"), path


def test_the_readme_names_the_two_commands_and_the_purpose(project_folder):
    text = (project_folder / "README.md").read_text(encoding="utf-8")
    for needed in ("make demo", "make test", "Research use only"):
        assert needed in text


def test_the_table_of_methods_in_the_readme_is_the_catalogue(project_folder, monkeypatch):
    monkeypatch.syspath_prepend(project_folder / "tools")
    tool = importlib.import_module("update_readme")
    text = (project_folder / "README.md").read_text(encoding="utf-8")
    assert tool.with_table(text) == text, "run: python tools/update_readme.py"


def test_the_scores_in_the_readme_are_those_of_the_page_on_quality(project_folder, monkeypatch):
    monkeypatch.syspath_prepend(project_folder / "tools")
    tool, marked = importlib.import_module("update_quality"), importlib.import_module("marked")
    quality = marked.part((project_folder / "Docs" / "quality.md").read_text(encoding="utf-8"), "quality")
    readme = (project_folder / "README.md").read_text(encoding="utf-8")
    assert marked.part(readme, "scores").strip() == tool.short_table(quality), "run: python tools/update_quality.py"


def test_the_help_of_the_command_line_comes_without_torch():
    code = "import sys; from MedFusionLib import cli; cli._parser(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr
