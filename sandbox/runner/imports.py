"""Decides what the runner can import: the named packages without their neighbours, and none of their hooks at a fork.

The hooks would run in every child, which takes longer than starting a program. They renew locks, which a process of one
thread does not hold while it forks, and generators of random numbers, which are to start alike in all children.
"""

from __future__ import annotations

import importlib.machinery
import os
import posix
import sys
import types
from collections.abc import Mapping, Sequence


class Roots:
    """Finds each package in a directory of its own, as a finder of ``sys.meta_path``."""

    def __init__(self, roots: Mapping[str, str]) -> None:
        """Take packages by name, each with the directory that holds it."""
        self.roots = roots

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of one of the named packages; submodules are found through their package."""
        root = self.roots.get(fullname)
        return importlib.machinery.PathFinder.find_spec(fullname, [root]) if root is not None else None


def open_up(arguments: Sequence[str]) -> None:
    """Find the packages that `arguments` name, each as ``name=directory``, and ignore hooks from now on."""
    sys.meta_path.append(Roots(dict(argument.split("=", 1) for argument in arguments)))
    os.register_at_fork = _ignored


def shut() -> list[str]:
    """Stop finding packages, so that what is not loaded by now never is; return the directories of what is.

    The listings of the roots are forgotten too, since they name the neighbours.
    """
    os.register_at_fork = posix.register_at_fork
    directories: list[str] = []
    for finder in [f for f in sys.meta_path if isinstance(f, Roots)]:
        sys.meta_path.remove(finder)
        for root in finder.roots.values():
            sys.path_importer_cache.pop(root, None)
        for name in finder.roots:
            directories += list(getattr(sys.modules.get(name), "__path__", ()))
    return directories


def _ignored(**_: object) -> None:
    pass
