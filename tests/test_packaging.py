"""The wheel holds what runs and nothing of a user's; and the six packages must come from one place."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import evolve

pytestmark = pytest.mark.slow

ROOT = Path(evolve.__file__).parent.parent
PACKAGES = {"evolve", "evaluators", "sandbox", "results", "seeds", "prompts"}


@pytest.fixture(scope="module")
def tracked():
    """Paths of the files that git knows, those of a checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    return [Path(name) for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tracked, tmp_path_factory):
    """Names of the files in a wheel, built from a copy in which somebody has run campaigns."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    copy = tmp_path_factory.mktemp("copy")
    for path in tracked:
        if path.parts[0] != "tests":
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, copy / path)
    for name in (
        "results/data/evolve.db",
        "results/data/evolve.db-wal",
        "evolve/stray.db",
        "seeds/cfr/x.db-lock",
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(b"SQLite format 3\0")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = out.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def test_all_that_is_tracked_in_a_package_is_in_the_wheel(wheel, tracked):
    expected = {path.as_posix() for path in tracked if path.parts[0] in PACKAGES}
    assert expected - set(wheel) == set()


@pytest.mark.parametrize(
    "name",
    [
        "seeds/cfr/cfr_plus.py",
        "prompts/__init__.py",
        "results/migrations/env.py",
        "evaluators/cfr/guest.py",
        "evaluators/guest.py",
        "evolve/templates/domain/domain.py.txt",
        "sandbox/runner/__main__.py",
        "sandbox/runner/wire.py",
        *(f"{package}/py.typed" for package in sorted(PACKAGES)),
        *(f"{package}/__init__.py" for package in sorted(PACKAGES)),
    ],
)
def test_holds(wheel, name):
    assert name in wheel


def test_holds_a_migration_and_the_licence(wheel):
    assert any(name.startswith("results/migrations/versions/0003_") for name in wheel)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_holds_no_database_no_tests_and_no_benchmarks(wheel):
    foreign = ("results/data/", "tests/", "benchmarks/")
    assert not [name for name in wheel if ".db" in name or name.startswith(foreign)]


def test_installs_the_six_packages_and_nothing_else(wheel):
    folders = {name.split("/")[0] for name in wheel}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == PACKAGES


def test_the_command_is_called_evolve(wheel):
    (points,) = (text for name, text in wheel.items() if name.endswith("entry_points.txt"))
    assert b"evolve = evolve.cli.app:main" in points


def doctor(path, cwd):
    """What `evolve doctor` finds with a folder before everything else on Python's path."""
    done = subprocess.run(
        [sys.executable, "-c", "from evolve.cli.app import main; main()", "doctor", "--json"],
        env=os.environ | {"PYTHONPATH": str(path)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    places = next(c for c in report["checks"] if c["check"] == "packages from one place")
    return done.returncode, report["ok"], places


@pytest.mark.parametrize("package", ["results", "evaluators"])
def test_doctor_sees_another_distributions_package_of_the_same_name(tmp_path, package):
    fake = tmp_path / "other" / package
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text('"""Somebody else\'s package."""\n')
    code, ok, places = doctor(fake.parent, tmp_path)
    assert (code, ok, places["ok"]) == (1, False, False)
    assert f"{package}: {fake.parent}" in places["detail"]
    assert f"evolve: {ROOT}" in places["detail"]


def test_doctor_sees_that_all_come_from_one_place(tmp_path):
    _, _, places = doctor(tmp_path, tmp_path)
    assert (places["ok"], places["detail"]) == (True, str(ROOT))
