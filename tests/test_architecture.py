"""Imports point one way, no two modules need each other, functions stay small: read from the source, nothing is run.

Every test goes over all modules and names those that offend.
"""

import ast
import sys
from functools import cache
from pathlib import Path

import evolve

ROOT = Path(evolve.__file__).parent.parent
PACKAGES = ("evolve", "evaluators", "sandbox", "results", "seeds", "prompts")
FUNCTION_LINES = 50

MODULES = {
    path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"))
    for package in (*PACKAGES, "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "data" not in path.relative_to(ROOT).parts
}

DOMAINS = [f"evaluators.{path.parent.name}" for path in sorted((ROOT / "evaluators").glob("*/domain.py"))]


@cache
def imports(path, *, at_start=False):
    """Absolute dotted names that a module imports: wherever in it, or when it is loaded."""
    return frozenset(_imports(path, MODULES[path], at_start))


def _imports(path, node, at_start):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            above = path.parts[: len(path.parts) - child.level] if child.level else ()
            source = ".".join([*above, *([child.module] if child.module else [])])
            yield from (f"{source}.{alias.name}" for alias in child.names)
        elif not at_start or not _is_deferred(child):
            yield from _imports(path, child, at_start)


def _is_deferred(node):
    """Whether what a node holds is not run when its module is loaded."""
    functions = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    return functions or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))


def within(name, *packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


def ours(path):
    return {name for name in imports(path) if within(name, *PACKAGES, "benchmarks")}


def offenders(paths, offends):
    """Module -> the names that it imports against a rule."""
    found = {str(path): sorted(offends(path)) for path in paths}
    return {path: names for path, names in found.items() if names}


def below(*folders):
    return [path for path in MODULES if any(map(path.is_relative_to, folders))]


def apart_from(*folders):
    return [path for path in MODULES if not any(map(path.is_relative_to, folders))]


MAY_IMPORT = {
    "benchmarks": (*PACKAGES, "benchmarks"),
    "evolve/cli/bench.py": (*PACKAGES, "benchmarks"),
    "evolve": PACKAGES,
    "evaluators/records.py": (),
    "evaluators": ("evaluators", "sandbox"),
    "sandbox/runner": ("sandbox.runner",),
    "sandbox": ("sandbox",),
    "results": ("results", "evaluators.records"),
    "seeds": ("seeds",),
    "prompts": ("prompts",),
}
"""Folder or module -> what it may import of ours; the first that a module lies in counts."""


def test_imports_point_one_way():
    def foreign(path):
        allowed = next(names for folder, names in MAY_IMPORT.items() if path.is_relative_to(folder))
        return {name for name in ours(path) if not within(name, *allowed)}

    assert offenders(MODULES, foreign) == {}


def test_results_know_the_records_of_evaluators_and_nothing_else_of_them():
    def beyond(path):
        named = {name for name in ours(path) if within(name, "evaluators")}
        return {name for name in named if not within(name, "evaluators.records")}

    assert offenders(below("results"), beyond) == {}
    assert offenders(below("evaluators/__init__.py"), imports) == {}


def test_no_two_modules_need_each_other_to_be_loaded():
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}

    def loaded(name):
        """The module that an imported name is, or is in."""
        return name if name in names or "." not in name else loaded(name.rpartition(".")[0])

    needs = {
        name: {loaded(n) for n in imports(path, at_start=True)} & names.keys() - {name}
        for name, path in names.items()
    }
    assert _cycle(needs) == []


def _cycle(needs):
    """The names along one cycle of a graph, [] where there is none."""
    done, way = set(), []

    def visit(name):
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        way.append(name)
        found = next(filter(None, map(visit, sorted(needs[name]))), [])
        way.pop()
        done.add(name)
        return found

    return next(filter(None, map(visit, sorted(needs))), [])


def test_a_cycle_would_be_seen():
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert _cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_only_the_command_line_imports_the_command_line():
    paths = apart_from("evolve/cli", "benchmarks")
    assert offenders(paths, lambda path: {n for n in ours(path) if within(n, "evolve.cli")}) == {}


def test_the_engine_knows_no_domain():
    assert DOMAINS
    # The public API hands out a domain's OpenSpiel solvers; the search sees `evaluators.task_domain` alone.
    solvers = {"evolve/programs.py": [f"{domain}.openspiel" for domain in DOMAINS]}

    def known(path):
        return {n for n in ours(path) if within(n, *DOMAINS) and not within(n, *solvers.get(str(path), ()))}

    assert offenders([p for p in below("evolve") if p not in below("evolve/cli")], known) == {}


def test_a_domain_knows_no_other():
    for domain in DOMAINS:
        others = [other for other in DOMAINS if other != domain]
        paths = below(domain.replace(".", "/"))
        assert (
            offenders(paths, lambda path, others=others: {n for n in ours(path) if within(n, *others)}) == {}
        )


def test_the_runner_needs_the_standard_library_and_numpy():
    allowed = {*sys.stdlib_module_names, "numpy"}

    def foreign(path):
        return {
            n for n in imports(path) if n.partition(".")[0] not in allowed and not within(n, "sandbox.runner")
        }

    assert offenders(below("sandbox/runner"), foreign) == {}


def test_a_guest_needs_the_standard_library_and_numpy():
    guests = [path for path in MODULES if path.name.startswith("guest")]
    assert len(guests) >= 2
    allowed = {*sys.stdlib_module_names, "numpy"}
    assert offenders(guests, lambda path: {n.partition(".")[0] for n in imports(path)} - allowed) == {}


def test_a_seed_imports_what_its_sandbox_has():
    libraries = {"psro": {"numpy", "scipy.optimize", "scipy.sparse", "scipy.sparse.linalg"}}
    seeds = [path for path in below("seeds") if len(path.parts) > 2]
    assert seeds

    def missing(path):
        allowed = libraries.get(path.parts[1], {"numpy"})
        return {name for name in imports(path) if not within(name, *allowed)}

    assert offenders(seeds, missing) == {}


def test_nobody_imports_a_vendored_click():
    assert (
        offenders(MODULES, lambda path: {n for n in imports(path) if within(n, "click", "typer._click")})
        == {}
    )


def test_seeds_are_read_and_never_imported():
    modules = {f"seeds.{path.parts[1]}" for path in below("seeds") if len(path.parts) > 2}
    assert modules
    assert offenders(MODULES, lambda path: {n for n in ours(path) if within(n, *modules)}) == {}


def test_no_function_is_too_long():
    def long(path):
        functions = [
            node
            for node in ast.walk(MODULES[path])
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        return {f.name for f in functions if f.end_lineno - first_line(f) >= FUNCTION_LINES}

    def first_line(function):
        """Of what it does: the options of a command are its signature, and its help is its docstring."""
        described = ast.get_docstring(function) is not None and len(function.body) > 1
        return function.body[described].lineno

    assert offenders(MODULES, long) == {}
