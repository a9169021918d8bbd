"""Examples run as they stand, and say what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import evolve

pytestmark = pytest.mark.slow

EXAMPLES = Path(evolve.__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--iterations", "20"],
        [
            "--program",
            "aod_cfr",
            "--game",
            "goofspiel(imp_info=True,num_cards=3,players=2)",
            "--iterations",
            "10",
        ],
    ],
    ids=["as it stands", "another game"],
)
def test_solve_with_discovered(tmp_path, arguments):
    environment = os.environ | {"EVOLVE_CACHE_DIR": str(tmp_path)}
    script = EXAMPLES / "solve_with_discovered.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = [float(value) for value in re.findall(r"exploitability (\S+) after", done.stdout)]
    assert len(values) == 2
    assert all(0 <= value < 1 for value in values)


@pytest.mark.parametrize(
    "arguments",
    [["--iterations", "2"], ["--program", "regret_matching", "--game", "matrix_pd", "--iterations", "2"]],
    ids=["as it stands", "another game"],
)
def test_psro_with_discovered(tmp_path, arguments):
    environment = os.environ | {"EVOLVE_CACHE_DIR": str(tmp_path), "MPLCONFIGDIR": str(tmp_path)}
    script = EXAMPLES / "psro_with_discovered.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["1", "2"]
    assert all(0 <= float(value) < 1 for row in rows for value in row[1:])


def test_every_example_is_tested():
    found = {path.name for path in EXAMPLES.glob("*.py")}
    assert found == {"solve_with_discovered.py", "psro_with_discovered.py"}
