"""The floors: a module imports from its own folder or from a lower floor, never up and never sideways.

What counts as an import: every ``import`` and ``from … import``, absolute or relative, at the top, in a function or under
``TYPE_CHECKING`` (a type from above ties a module to what is above all the same), and every string that spells a module of
this package, as tables, lazy attributes and ``import_module`` hold them. Only ``pixelwise/__init__.py`` may name all floors.
"""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "pixelwise"

FLOORS = {
    0: ("core",),
    1: ("catalog", "scenes"),
    2: ("formats", "decode", "methods", "metrics", "augment", "draw"),
    3: ("models", "refine", "curate", "report"),
    4: ("predict", "export", "train"),
    5: ("load",),
    6: ("serve", "jobs"),
    7: ("workbench",),
    8: ("cli",),
    9: ("__main__",),
}
FLOOR = {owner: floor for floor, owners in FLOORS.items() for owner in owners}

TORCH = ("torch", "torchvision", "timm", "segmentation_models_pytorch", "transformers", "lightning", "pytorch_lightning")
HEAVY = (*TORCH, "sklearn", "skimage", "scipy", "matplotlib", "pandas", "tifffile")


def owner_of(module: str) -> str:
    """Give the folder or the top-level module that ``module`` (``pixelwise.a.b``) belongs to; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def places(source: str) -> dict[str, str]:
    """Read the lazy table of ``pixelwise/__init__.py``: public name -> module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_PLACES":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("pixelwise/__init__.py has no table _PLACES")


def spells_module(value: object) -> bool:
    """Tell whether a constant is the name of a module here; ``pixelwise.model``, a group of entry points, is none."""
    return isinstance(value, str) and bool(re.fullmatch(r"pixelwise(\.\w+)+", value)) and owner_of(value) in FLOOR


def references(source: str, module: str, is_package: bool, public: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Give the line and the full name of each module of this package that ``source`` refers to."""
    tree = ast.parse(source)
    parts = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names if one.name.split(".")[0] == "pixelwise")
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            if origin.split(".")[0] != "pixelwise":
                continue
            for one in node.names:
                if origin != "pixelwise":
                    yield node.lineno, origin
                elif not (one.name.startswith("__") and one.name.endswith("__")):  # __version__ is on no floor
                    yield node.lineno, public.get(one.name, f"pixelwise.{one.name}")
        elif isinstance(node, ast.Constant) and spells_module(node.value):
            yield node.lineno, node.value


def tables(source: str) -> Iterator[tuple[int, str]]:
    """Give the line and the module of each row of each ``Catalog("what", {...})``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Catalog":
            rows = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "rows"), None)
            assert isinstance(rows, ast.Dict), "a table is a plain dict, written where grep finds it"
            for value in rows.values:
                assert isinstance(value, ast.Constant), "a row's module is a plain string"
                yield value.lineno, str(value.value)


def violations(package: Path) -> list[str]:
    """List every import in ``package`` that goes up or sideways, and every row that leaves its table's folder."""
    return [found for path in sorted(package.rglob("*.py")) for found in violations_of(path, package)]


def violations_of(path: Path, package: Path) -> list[str]:
    """List those of one file."""
    where = path.relative_to(package)
    is_package = path.name == "__init__.py"
    module = ".".join(["pixelwise", *(where.parts[:-1] if is_package else where.with_suffix("").parts)])
    if module == "pixelwise":
        return []
    public = places((package / "__init__.py").read_text("utf-8"))
    return _violations(path.read_text("utf-8"), module, is_package, public, str(where))


def _violations(source: str, module: str, is_package: bool, public: dict[str, str], where: str) -> list[str]:
    own = owner_of(module)
    if own not in FLOOR:
        return [f"{where}: '{own}' stands on no floor; give it one in docs/design.md and here"]
    found = []
    for line, target in references(source, module, is_package, public):
        other = owner_of(target)
        if other != own and not FLOOR.get(other, 99) < FLOOR[own]:
            found.append(f"{where}:{line}: {own} (floor {FLOOR[own]}) refers to {target} (floor {FLOOR.get(other, 'none')})")
    if not where.startswith("catalog"):  # its docstring's example is no table
        for line, target in tables(source):
            if owner_of(target) != own:
                found.append(f"{where}:{line}: a row of a table in {own} points to {target}")
    return found


def test_no_module_imports_up_or_sideways() -> None:
    assert violations(PACKAGE) == []


def test_every_row_of_a_table_names_a_module_that_is_there() -> None:
    rows = [row for path in PACKAGE.rglob("__init__.py") for row in tables(path.read_text("utf-8"))]
    assert len(rows) >= 4
    for _, module in rows:
        assert importlib.util.find_spec(module) is not None, module


def _planted(folder: Path, where: str, line: str) -> Path:
    """Copy one module, and the lazy table, to another folder and add a line to the copy."""
    original, copy = PACKAGE / where, folder / where
    copy.parent.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text((PACKAGE / "__init__.py").read_text("utf-8"), "utf-8")
    copy.write_text((original.read_text("utf-8") if original.exists() else "") + "\n" + line + "\n", "utf-8")
    return copy


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("core/grid.py", "from pixelwise.models.segmenter import Segmenter"),
        ("core/grid.py", "import pixelwise.train"),
        ("core/grid.py", "import pixelwise.catalog as names"),
        ("core/grid.py", "from pixelwise import scenes"),
        ("core/grid.py", "from pixelwise import fit"),
        ("core/grid.py", "from pixelwise import *"),
        ("core/grid.py", "import pixelwise"),
        ("core/grid.py", "from ..methods import otsu"),
        ("core/grid.py", "from .. import load"),
        ("core/__init__.py", "from ..catalog import Catalog"),
        ("core/grid.py", "def lazy():\n    from pixelwise.draw import overlay"),
        ("core/grid.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pixelwise.formats import Claim"),
        ("core/grid.py", "import importlib\nimportlib.import_module('pixelwise.train.fit')"),
        ("core/grid.py", "LAZY = {'read': 'pixelwise.formats'}"),
        ("catalog.py", "from pixelwise.scenes import LABELS"),
        ("scenes.py", "import pixelwise.catalog"),
        ("metrics/overlap.py", "from pixelwise.formats import read"),
        ("train/fit.py", "from pixelwise.predict.network import Network"),
        ("load.py", "from pixelwise.cli import main"),
        ("metrics/__init__.py", "MORE = Catalog('metric', {'crf': 'pixelwise.core.runs'})"),
        ("newfolder/thing.py", "import numpy"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, where: str, line: str) -> None:
    found = violations_of(_planted(tmp_path, where, line), tmp_path)
    assert len(found) == 1, found
    assert found[0].startswith(where)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("core/grid.py", "from pixelwise.core.runs import Runs"),
        ("core/grid.py", "from .runs import Runs"),
        ("core/grid.py", "from . import runs"),
        ("core/grid.py", "from pixelwise import LabelSet"),
        ("core/grid.py", "from pixelwise import __version__"),
        ("core/grid.py", "import pixelwise_of_another_house"),
        ("cli/app.py", "from pixelwise import read, fit"),
        ("train/fit.py", "from pixelwise.models.segmenter import Segmenter"),
    ],
)
def test_an_import_from_the_own_folder_or_from_below_is_no_violation(tmp_path: Path, where: str, line: str) -> None:
    assert violations_of(_planted(tmp_path, where, line), tmp_path) == []


def test_a_violation_is_found_in_a_whole_package(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "pixelwise", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pixelwise" / "core" / "up.py").write_text("from pixelwise.train import fit\n", "utf-8")
    assert violations(tmp_path / "pixelwise") == ["core/up.py:1: core (floor 0) refers to pixelwise.train (floor 4)"]


def third_party(path: Path) -> set[str]:
    """List the first names of all absolute imports of a file, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found


def _files(*owners: str) -> list[Path]:
    return [path for owner in owners for path in [*(PACKAGE / owner).rglob("*.py"), *PACKAGE.glob(f"{owner}.py")]]


def test_the_floors_below_the_models_name_no_torch_anywhere() -> None:
    low = _files(*FLOORS[0], *FLOORS[1], *FLOORS[2])
    assert len(low) > 30
    assert {str(path): named for path in low if (named := third_party(path) & set(TORCH))} == {}


def test_lightning_belongs_to_train_and_transformers_to_models() -> None:
    for path in PACKAGE.rglob("*.py"):
        named = third_party(path)
        owner = path.relative_to(PACKAGE).parts[0]
        assert owner == "train" or not named & {"lightning", "pytorch_lightning"}, path
        assert owner == "models" or not named & {"transformers", "timm", "segmentation_models_pytorch"}, path


def _loaded(program: str) -> set[str]:
    """Run a program in a fresh interpreter and give the top-level modules it has loaded."""
    told = f"{program}\nimport sys\nprint('LOADED', *{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_pixelwise_loads_nothing_heavy() -> None:
    loaded = _loaded("import pixelwise")
    assert loaded & {*HEAVY, "cv2", "numpy"} == set()


def test_the_help_of_the_command_loads_no_torch() -> None:
    help_only = """
import sys
from pixelwise.cli import main
sys.argv = ["pixelwise", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert _loaded(help_only) & set(HEAVY) == set()


def test_importing_every_module_of_the_lowest_floors_loads_nothing_heavy() -> None:
    low = [path.relative_to(PACKAGE.parent).with_suffix("") for path in _files(*FLOORS[0], *FLOORS[1], *FLOORS[2])]
    names = sorted(".".join(path.parts).removesuffix(".__init__") for path in low)
    loaded = _loaded("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names))
    assert loaded & set(HEAVY) == set()
