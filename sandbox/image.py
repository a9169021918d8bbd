"""Builds the image that Docker sandboxes run: an interpreter, numpy and scipy, and the runner; no shell, nothing else.

``make sandbox-image`` builds it from ``Dockerfile`` with pinned packages. Where there is no network, the same
layout is made of the interpreter that runs this: ``python -m sandbox.image --offline``. The tag is a digest of
the runner's source, so that an image never serves a driver of another version.
"""

from __future__ import annotations

import compileall
import contextlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.docker import PYTHON, RUNNER_INSIDE, SITE, connect, reference
from sandbox.process import FLAGS, RUNNER, interpreter, packages, root

if TYPE_CHECKING:
    from docker import DockerClient

_LEFT_OUT = shutil.ignore_patterns(
    "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip",
    "config-*", "lib2to3", "pydoc_data", "__pycache__", "*.a", "*.pyi",
)  # fmt: skip


def build_offline(client: DockerClient, modules: Sequence[str] = ("numpy",)) -> None:
    """Import an image made of this interpreter and the packages of `modules`, with what they link to.

    Raises:
        SandboxFault: a package is not installed.
    """
    name, _, tag = reference().partition(":")
    entry = ", ".join(f'"{part}"' for part in (PYTHON, *FLAGS, RUNNER_INSIDE))
    with tempfile.TemporaryDirectory() as stage:
        _assemble(Path(stage), packages(modules))
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                tar.add(stage, ".", filter=_anybody)
            archive.seek(0)
            client.api.import_image(
                src=archive, repository=name, tag=tag, changes=[f"ENTRYPOINT [{entry}]", "USER 65534:65534"]
            )


def _assemble(stage: Path, names: Iterable[str]) -> None:
    """Lay the image's files out below `stage`."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    stdlib = Path(sysconfig.get_path("stdlib"))
    _copy(stdlib, stage / f"usr/local/lib/{version}")
    for name in names:
        for part in (name, f"{name}.libs"):
            if (Path(root(name)) / part).is_dir():
                _copy(Path(root(name)) / part, stage / SITE[1:] / part)
    _copy(RUNNER, stage / RUNNER_INSIDE[1:])
    python = stage / PYTHON[1:]
    python.parent.mkdir(parents=True)
    shutil.copy2(interpreter(), python)
    native = [interpreter(), *map(str, stdlib.glob("lib-dynload/*.so"))]
    native += [str(path) for name in names for path in (Path(root(name)) / name).rglob("*.so")]
    own = {root(name) for name in names}
    for library in _libraries(native):
        if not any(library.startswith(f"{place}/") for place in own):
            target = stage / library[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library, target)
    # Compiled here once: without it every start would compile numpy again, which nobody may store.
    compileall.compile_dir(stage, quiet=2, workers=1, stripdir=str(stage), maxlevels=30)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=False, ignore=_LEFT_OUT, ignore_dangling_symlinks=True)


def _libraries(files: Sequence[str]) -> set[str]:
    """Return the shared libraries that `files` are linked to, and the loader, by their paths here."""
    lines = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout.splitlines()
    words = [word for line in lines if line.startswith("\t") for word in line.split()]
    return {word for word in words if word.startswith("/")}


def _anybody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Give a file to root, and let anybody read it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def main() -> None:
    """Print the image's name; with ``--offline``, make it of this interpreter first."""
    if "--offline" in sys.argv[1:]:
        with contextlib.closing(connect()) as client:
            build_offline(client, ("numpy", "scipy"))
    print(reference())


if __name__ == "__main__":
    main()
