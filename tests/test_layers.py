"""A room imports only rooms above it: every import in the sources is looked at, those inside functions too."""

import ast
from pathlib import Path

import pytest

import logitkit

SOURCES = Path(logitkit.__file__).parent
ORDER = """
    _version errors files model_file memory arrays kinds checks kernels ops torch text trust model explain decision
    policy classifier tables audit report plots demo cluster serve cli __main__
"""
ROOMS = ORDER.split()
FILES = sorted(SOURCES.rglob("*.py"))


def imported(tree: ast.AST, package: str) -> list[str]:
    """Return the modules that are imported anywhere in a tree, by full name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names] if module == "logitkit" else [module]
    return found


def names_used_as_modules(tree: ast.AST) -> set[str]:
    """Return what goes to `importlib.import_module` and `__import__` as plain text."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    wanted = [node for node in calls if ast.unparse(node.func) in ("importlib.import_module", "__import__")]
    return {str(part.value) for node in wanted for part in node.args if isinstance(part, ast.Constant)}


def broken(place: str, source: str) -> list[str]:
    """Return in words what a source file at `place` imports against the order."""
    parts = Path(place).with_suffix("").parts
    room = parts[0]
    tree = ast.parse(source)
    package = ".".join(("logitkit", *parts[:-1]))
    wrong = []
    for name in [*imported(tree, package), *names_used_as_modules(tree)]:
        top, _, rest = name.partition(".")
        if top == "numba" and room != "kernels":
            wrong.append(f"{place} imports numba, which only kernels may")
        if top == "jax" or (top == "torch" and room != "torch"):
            wrong.append(f"{place} imports {top}, which only logitkit.torch may import, and JAX nobody")
        if top != "logitkit":
            continue
        other = rest.split(".")[0]
        if other not in ROOMS:
            wrong.append(f"{place} imports {name}, which is no room")
        elif room != other and (room == "kernels" or ROOMS.index(other) > ROOMS.index(room)):
            wrong.append(f"{place} imports {name}, which is not above it")
    return wrong


def test_every_file_is_in_a_room():
    rooms = {path.relative_to(SOURCES).parts[0].removesuffix(".py") for path in FILES}
    assert rooms - {"__init__"} <= set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_room_imports_only_rooms_above_it(path):
    place = str(path.relative_to(SOURCES))
    if place != "__init__.py":  # it names the public names of all rooms
        assert broken(place, path.read_text()) == []


@pytest.mark.parametrize(
    ("place", "source", "wrong"),
    [
        ("text/a.py", "from logitkit.model.linear import LinearModel", "not above"),
        ("text/a.py", "def f():\n    from logitkit import trust", "not above"),
        ("text/a.py", "def f():\n    import logitkit.cli.train", "not above"),
        ("text/a.py", "from ..trust import metrics", "not above"),
        ("text/a.py", "importlib.import_module('logitkit.serve')", "not above"),
        ("kernels/a.py", "from logitkit.errors import InputError", "not above"),
        ("ops/a.py", "import numba", "only kernels"),
        ("ops/a.py", "from numba.core import types", "only kernels"),
        ("cli/a.py", "from logitkit import nothing", "no room"),
        ("ops/a.py", "from logitkit.torch import cross_entropy", "not above"),
        ("kinds.py", "def f():\n    import torch", "only logitkit.torch"),
        ("torch/a.py", "import jax.numpy", "JAX nobody"),
        ("torch/a.py", "import torch\nfrom logitkit import ops", None),
        ("cli/a.py", "from logitkit.report.steps import softmax_steps", None),
        ("text/a.py", "from .columns import Column\nfrom ..kernels import jit", None),
        ("kernels/a.py", "import numba\nfrom logitkit.kernels.exp import exp", None),
    ],
)
def test_the_check_sees_what_it_should(place, source, wrong):
    found = broken(place, source)
    assert found == [] if wrong is None else len(found) == 1 and wrong in found[0]
