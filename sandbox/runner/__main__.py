"""Entry point: ``python -P -s -S -B <this directory> numpy=<its root> ...``.

Descriptor 0 is the control socket. Makes this directory the package ``runner``, and only the named packages
importable beside it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys


def _become_package() -> None:
    here = sys.path.pop(0)
    spec = importlib.util.spec_from_file_location(
        "runner", f"{here}/__init__.py", submodule_search_locations=[here]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"runner: expected a package at {here}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["runner"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    _become_package()
    importlib.import_module("runner.roots").install(sys.argv[1:])
    importlib.import_module("runner.server").main()
