"""Public names: documented, each at one path, importable quickly."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
import types
import warnings
from importlib.util import find_spec

import pytest

import logitkit

HAS_TORCH = find_spec("torch") is not None
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(logitkit.__path__, "logitkit.")
    if module.name != "logitkit.__main__" and (HAS_TORCH or module.name != "logitkit.torch")
)
PUBLIC = ["logitkit", "logitkit.ops", "logitkit.trust", "logitkit.tables", "logitkit.errors"]
PUBLIC += ["logitkit.torch"] if HAS_TORCH else []
WITHOUT_EXAMPLE = {  # what a call of another public name gives, or a leaf of a tree whose root has one
    *("Decision", "Explanation", "TableReader", "TableWriter"),
    *("InputError", "ModelFileError", "NotFittedError", "OptionError", "OutputError"),
}
HEAVY = {"torch", "jax", "numba", "llvmlite", "pyarrow", "scipy", "typer", "rich", "safetensors", "numpy"}


def public_names():
    for path in PUBLIC:
        module = importlib.import_module(path)
        for name in module.__all__:
            yield path, name, getattr(module, name)


@pytest.mark.parametrize("path", ["logitkit", *MODULES])
def test_every_module_says_what_it_is_and_has_what_it_names(path):
    module = importlib.import_module(path)
    assert (module.__doc__ or "").strip()
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name), name
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            assert (thing.__doc__ or "").strip(), f"{path}.{name} has no docstring"
            assert not thing.__doc__.startswith(f"{name}("), f"{path}.{name} has only the docstring of a dataclass"


@pytest.mark.parametrize(
    ("path", "name", "thing"), [pytest.param(*row, id=f"{row[0]}.{row[1]}") for row in public_names()]
)
def test_every_public_name_is_documented_with_an_example(path, name, thing):
    if isinstance(thing, (str, tuple, types.ModuleType)):
        return
    doc = inspect.getdoc(thing) or ""
    assert len(doc.split()) >= 5
    if name not in WITHOUT_EXAMPLE:
        assert ">>>" in doc, f"{path}.{name} has no example"
    for member, value in vars(thing).items() if inspect.isclass(thing) else ():
        if inspect.isroutine(value) and not member.startswith("_"):
            assert (inspect.getdoc(value) or "").strip(), f"{path}.{name}.{member} has no docstring"


def test_every_public_thing_has_exactly_one_path():
    things = [(id(thing), f"{path}.{name}") for path, name, thing in public_names() if not isinstance(thing, str)]
    assert len({key for key, _ in things}) == len(things)


def test_all_names_the_lazy_names_and_nothing_else_is_there():
    assert dir(logitkit) == sorted(logitkit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        logitkit.nothing


@pytest.mark.parametrize("path", MODULES)
def test_the_examples_of_every_module_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = doctest.testmod(importlib.import_module(path), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert list(tmp_path.iterdir()) == []


def modules_after(code: str) -> set[str]:
    code += "; import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_importing_logitkit_loads_nothing_heavy():
    assert not HEAVY & modules_after("import logitkit; logitkit.__version__; dir(logitkit)")
    assert {"numba", "numpy"} <= modules_after("import logitkit; logitkit.ops")  # the check can see them


def test_pytorch_and_jax_are_imported_by_their_owner_alone():
    rooms = "from logitkit import ops, trust, tables, report; ops.softmax([1.0, 2.0]); ops.cross_entropy([[1.0]], [0])"
    assert not {"torch", "jax"} & modules_after(rooms)


def test_what_needs_pytorch_says_so():
    code = "import sys; sys.modules['torch'] = None; import logitkit.torch"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: logitkit.torch needs PyTorch, which is not installed: pip install torch"
    )


def test_the_help_of_the_command_line_compiles_nothing():
    found = modules_after("import logitkit.cli")
    assert {"typer", "rich"} <= found and not {"numba", "pyarrow", "scipy"} & found
