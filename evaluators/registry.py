"""Domains by name or folder: ours, those of installed packages, and those that lie in a folder of a user's.

Ours are packages below `evaluators` with a module ``domain``; an installed package names its own under the
entry-point group ``evolve.domains``; a folder holds a file ``domain.py``. Each has a constant ``DOMAIN``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from evaluators.contract import InputError, nearest
from evaluators.task_domain import TaskDomain

GROUP = "evolve.domains"
_SHARED = ("games",)
"""Packages whose module ``domain`` holds what several domains share."""

_LIVE: dict[str, TaskDomain] = {}
"""Domains that exist in this process only, by name (`register`)."""


def domain_names() -> tuple[str, ...]:
    """Return the names of the domains that are found without a folder, ours first."""
    return tuple(dict.fromkeys([*_ours(), *_installed()]))


def domains() -> dict[str, TaskDomain]:
    """Return the domains that are found without a folder, by name.

    Raises:
        InputError: one of them does not load.
    """
    return {name: get_domain(name) for name in domain_names()}


def register(domain: TaskDomain) -> None:
    """Have `get_domain` return a domain that exists in this process only, by its name; the last of a name counts."""
    domain.origin = domain.name
    _LIVE[domain.name] = domain


def get_domain(reference: str) -> TaskDomain:
    """Return the domain of a name or, where `reference` is a path, of a folder; it is loaded once.

    Raises:
        InputError: there is none, with the nearest name, or it does not load.
    """
    return _LIVE.get(reference) or _load(reference)


@cache
def _load(reference: str) -> TaskDomain:
    """Return a domain that is ours, installed or in a folder.

    Raises:
        InputError: there is none, with the nearest name, or it does not load.
    """
    if _is_path(reference):
        return _of(_module_in(Path(reference)), reference)
    if reference in _ours():
        return _of(importlib.import_module(f"evaluators.{reference}.domain"), reference)
    installed = _installed()
    if reference in installed:
        return _checked(_loaded(installed[reference]), reference)
    raise InputError(
        f"domain: expected the name of a domain, or a folder with a file domain.py; got {reference!r}.",
        nearest(reference, domain_names()),
    )


def reference(name_or_folder: str) -> str:
    """Return what `get_domain` takes wherever a later command runs: a name, or an absolute path."""
    return str(Path(name_or_folder).resolve()) if _is_path(name_or_folder) else name_or_folder


def _is_path(text: str) -> bool:
    return (
        os.sep in text
        or text in (".", "..")
        or (text not in (*_LIVE, *domain_names()) and Path(text).is_dir())
    )


@cache
def _ours() -> tuple[str, ...]:
    import evaluators

    return tuple(
        module.name
        for module in pkgutil.iter_modules(evaluators.__path__)
        if module.ispkg
        and module.name not in _SHARED
        and importlib.util.find_spec(f"evaluators.{module.name}.domain")
    )


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        raise InputError(
            f"domain: {point.name!r}, announced by {point.value!r}, does not load: {error!r}.",
            f"Mend or uninstall the package {point.dist.name if point.dist else ''!r}.",
        ) from error


def _module_in(folder: Path) -> ModuleType:
    """Load ``domain.py`` of a folder; modules beside it can be imported by it."""
    file = folder / "domain.py" if folder.is_dir() else folder
    if not file.is_file():
        raise InputError(
            f"domain: expected a folder with a file domain.py at {folder}; there is none.",
            f"`evolve new {folder}` writes an example.",
        )
    file = file.resolve()
    name = f"evolve_domain_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"domain: {file} does not load: {type(error).__name__}: {error}.") from error
    finally:
        sys.path.remove(str(file.parent))
    return module


def _of(module: ModuleType, reference: str) -> TaskDomain:
    return _checked(getattr(module, "DOMAIN", None), reference)


def _checked(domain: object, reference: str) -> TaskDomain:
    if not isinstance(domain, TaskDomain):
        raise InputError(
            f"domain: expected {reference!r} to have DOMAIN, an instance of evaluators.task_domain.TaskDomain;"
            f" got {type(domain).__name__}."
        )
    domain.origin = reference
    return domain
