"""Imports point one way, and modules and functions stay small: read from the source, nothing is imported."""

import ast
import sys
from pathlib import Path

import pytest

import evolve

ROOT = Path(evolve.__file__).parent.parent
PACKAGES = ("evolve", "evaluators", "sandbox", "results", "seeds", "prompts")
MODULE_LINES, FUNCTION_LINES = 600, 60

MODULES = {
    path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"))
    for package in (*PACKAGES, "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "data" not in path.relative_to(ROOT).parts
}

each_module = pytest.mark.parametrize("path", MODULES, ids=str)


def imports(path):
    """Absolute dotted names that a module imports, wherever in it."""
    for node in ast.walk(MODULES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.parts[: len(path.parts) - node.level] if node.level else ()
            yield ".".join([*above, *([node.module] if node.module else [])])


def within(name, *packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


def ours(path):
    return {name for name in imports(path) if within(name, *PACKAGES, "benchmarks")}


MAY_IMPORT = {
    "benchmarks": (*PACKAGES, "benchmarks"),
    "evolve/cli/bench.py": (*PACKAGES, "benchmarks"),
    "evolve/cli": PACKAGES,
    "evolve": PACKAGES,
    "evaluators": ("evaluators", "sandbox"),
    "sandbox/runner": ("sandbox.runner",),
    "sandbox": ("sandbox",),
    "results": ("results", "evaluators.records"),
    "seeds": ("seeds",),
    "prompts": ("prompts",),
}
"""Folder -> what its modules may import of ours; the first folder that a module lies in counts."""


@each_module
def test_imports_point_one_way(path):
    allowed = next(names for folder, names in MAY_IMPORT.items() if path.is_relative_to(folder))
    assert {name for name in ours(path) if not within(name, *allowed)} == set()


@each_module
def test_only_the_command_line_imports_the_command_line(path):
    if not any(map(path.is_relative_to, ("evolve/cli", "benchmarks"))):
        assert {name for name in ours(path) if within(name, "evolve.cli")} == set()


@each_module
def test_the_engine_knows_no_domain(path):
    domains = [f"evaluators.{p.parent.name}" for p in (ROOT / "evaluators").glob("*/domain.py")]
    assert domains
    if path.is_relative_to("evolve") and not path.is_relative_to("evolve/cli"):
        # The public API hands out a domain's OpenSpiel solvers; the search sees `evaluators.task_domain` alone.
        solvers = [f"{domain}.openspiel" for domain in domains] if path == Path("evolve/programs.py") else []
        known = {name for name in ours(path) if within(name, *domains) and name not in solvers}
        assert known == set()


@pytest.mark.parametrize("path", [p for p in MODULES if p.is_relative_to("sandbox/runner")], ids=str)
def test_the_runner_needs_the_standard_library_and_numpy(path):
    allowed = {*sys.stdlib_module_names, "numpy"}
    foreign = {
        n for n in imports(path) if n.partition(".")[0] not in allowed and not within(n, "sandbox.runner")
    }
    assert foreign == set()


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "guest.py"], ids=str)
def test_a_guest_needs_the_standard_library_and_numpy(path):
    assert {n.partition(".")[0] for n in imports(path)} <= {*sys.stdlib_module_names, "numpy"}


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.is_relative_to("seeds") and len(p.parts) > 2], ids=str
)
def test_a_seed_imports_what_its_sandbox_has(path):
    libraries = {"psro": {"numpy", "scipy.optimize", "scipy.sparse", "scipy.sparse.linalg"}}
    assert set(imports(path)) <= libraries.get(path.parts[1], {"numpy"})


@each_module
def test_nobody_imports_a_vendored_click(path):
    assert not {name for name in imports(path) if within(name, "click", "typer._click")}


@each_module
def test_seeds_are_read_and_never_imported(path):
    assert not {name for name in ours(path) if name.startswith("seeds.")}


@each_module
def test_a_module_is_not_too_long(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@each_module
def test_no_function_is_too_long(path):
    functions = [n for n in ast.walk(MODULES[path]) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {
        n.name: n.end_lineno - n.lineno + 1 for n in functions if n.end_lineno - n.lineno >= FUNCTION_LINES
    }
    assert long == {}
