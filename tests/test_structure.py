"""The order of the package: what may import what, and how long functions may be."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import brant_hf

PACKAGE = Path(brant_hf.__file__).parent
# From the top: a room imports only itself and rooms above it. What a room does not name belongs to the room around it.
ROOMS = [
    {"user_warnings"},
    {"_lazy", "bad_input", "engines", "files", "hub", "listing", "option_names", "progress", "sharding"},
    {"configuration_brant", "feature_extraction_brant", "modeling_brant", "quantization_brant", "signal_checks_brant"},
    {"short_attention", "short_attention_kernels"},
    {"precision"},
    {"adapters"},
    {"checkpoints"},
    {"conversion_brant", "conversion_report", "conversion_sources"},
    {"events"},
    {"data.recordings"},
    {"data.preprocessing"},
    {"data.windows"},
    {"data.dataset"},
    {"data.batches"},
    {"data.corpora"},
    {"data"},
    {"simulation"},
    {"training"},
    {"detection"},
    {"probing"},
    {"onnx_export"},
    {"app"},
    {"cli"},
    {""},
]
# The simulator under the name that it had in version 0.1.
ALIASES = {"data.virtual"}

MAX_LINES = 60  # without the docstring
LONG_FUNCTIONS: dict[str, str] = {}
MAX_PARAMETERS = 8
MANY_PARAMETERS = dict.fromkeys(
    [f"short_attention_kernels.{name}" for name in ("_forward", "_backward", "_attend_backward")],
    "a kernel is given each tensor and number by itself",
)


@cache
def _modules() -> dict[str, ast.Module]:
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"))
    return modules


def _imports(name: str) -> set[str]:
    """Modules of the package that a module imports, also inside functions, but not for type checkers alone."""
    is_package = (PACKAGE / name.replace(".", "/") / "__init__.py").is_file()
    parts = ["brant_hf", *filter(None, name.split("."))]
    package = parts if is_package else parts[:-1]
    found: set[str] = set()
    for node in _running_code(_modules()[name]):
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    inside = {module.removeprefix("brant_hf.") for module in found if module.startswith("brant_hf.")}
    inside &= _modules().keys()
    # A package that is named only on the way to one of its modules.
    ways = {module for module in inside if any(other.startswith(f"{module}.") for other in inside)}
    return inside - ways - {name}


def _running_code(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from _running_code(child)


@cache
def _all_imports() -> dict[str, set[str]]:
    return {name: _imports(name) for name in _modules()}


def _room(module: str) -> int:
    """Place of the most special room that holds a module."""
    parts = module.split(".")
    for length in range(len(parts), -1, -1):
        for place, names in enumerate(ROOMS):
            if ".".join(parts[:length]) in names:
                return place
    raise AssertionError(module)


def test_a_room_imports_only_rooms_above_it():
    upward = {
        f"{module} imports {other}"
        for module, others in _all_imports().items()
        for other in others
        if module not in ALIASES and _room(other) > _room(module)
    }
    assert not upward


def test_commands_are_for_people_alone():
    """What a page, a script or another program needs, too, has its home in a room above the command line.

    What a container runs is a command, too.
    """
    importers = {module for module, others in _all_imports().items() if any(_root(other) == "cli" for other in others)}
    assert {_root(module) for module in importers} == {"cli", "szcore"}
    # No part of it is a room of its own, which others could import.
    assert not [name for names in ROOMS for name in names if name.startswith("cli.")]


def _root(module: str) -> str:
    return module.split(".")[0]


def test_no_circle_of_imports():
    try:
        TopologicalSorter(_all_imports()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_simulator_stands_alone():
    reached = {
        other for module, others in _all_imports().items() if module.startswith("simulation") for other in others
    }
    assert {other.split(".")[0] for other in reached} <= {"simulation", "files", "progress", "events"}


def _functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for module, tree in _modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield f"{module}.{node.name}", node


def test_functions_are_short():
    too_long = {}
    for name, node in _functions():
        documented = node.body[0].end_lineno - node.body[0].lineno + 1 if ast.get_docstring(node) else 0
        lines = node.end_lineno - node.lineno + 1 - documented
        if lines > MAX_LINES:
            too_long[name] = lines
    assert not too_long.keys() - LONG_FUNCTIONS.keys(), too_long


def test_functions_take_few_arguments():
    """Public functions may have more options by keyword; the parameters of a command are its command line."""
    too_many = {}
    for name, node in _functions():
        positional = len(node.args.posonlyargs) + len(node.args.args)
        is_private = node.name.startswith("_") and node.name != "__init__"
        count = positional + len(node.args.kwonlyargs) * is_private
        if count > MAX_PARAMETERS and not name.startswith("cli."):
            too_many[name] = count
    assert not too_many.keys() - MANY_PARAMETERS.keys(), too_many
