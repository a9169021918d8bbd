"""``evolve distill``: useless mechanisms go, the score stays, and whatever happens is one clear line."""

import signal

import pytest

import seeds
from evaluators.registry import get_domain
from evolve.operators import blocks
from evolve.source.code import Code
from evolve.source.sites import find_sites
from evolve.source.tree import size_of

SHORT = ("--tasks", "kuhn2", "--budget", 20, "--workers", 1)
TOLERANCE = 0.01


def with_useless_mechanisms():
    """CFR+ with a floor below zero, which its regrets never reach, and an average that starts at once."""
    code, domain = Code(seeds.source("cfr", "cfr_plus")), get_domain("cfr")
    known = {m.name: m for m in domain.mechanisms}
    for name, values in (("floor", {"bound": 7.25}), ("delayed_averaging", {"start": 0})):
        site = find_sites(code, domain.components)[known[name].component]
        code = blocks.insert(code, site, known[name], values, [])
    return code.text


@pytest.fixture(scope="module")
def distilled(tmp_path_factory, invoke):
    """(The result of the command, the file that it wrote.)"""
    folder = tmp_path_factory.mktemp("distil")
    (folder / "wordy.py").write_text(with_useless_mechanisms())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = invoke("distill", "wordy.py", *SHORT, "--tolerance", TOLERANCE, "--evaluations", 8)
    return result, folder / "wordy_distilled.py"


def test_useless_mechanisms_go(distilled):
    result, file = distilled
    assert result.exit_code == 0, result.stderr
    small, seed = Code(file.read_text()), Code(seeds.source("cfr", "cfr_plus"))
    assert size_of(small.tree) <= size_of(seed.tree)
    assert "floor" not in small.text
    assert "delayed" not in small.text
    assert "Mechanisms" not in small.text


def test_what_went_is_said_as_it_goes_and_at_the_end(distilled):
    result, _ = distilled
    assert "without mechanism" in result.stderr
    for said in ("mechanism floor of RegretAccumulator", "mechanism delayed_averaging of PolicyAccumulator"):
        assert said in " ".join(result.stdout.split())
    assert "nodes" in result.stdout
    assert "evaluate wordy_distilled.py --tasks kuhn2 --tier generic --budget 20" in result.stdout


def test_the_score_stays_and_workers_do_not_matter(distilled, ask, here):
    (here / "wordy.py").write_text(with_useless_mechanisms())
    found = ask("distill", "wordy.py", *SHORT, "--tolerance", TOLERANCE, "--evaluations", 8, "--workers", 2)
    assert found["source"] == distilled[1].read_text() == (here / found["file"]).read_text()
    assert found["distilled"]["score"] >= found["before"]["score"] - TOLERANCE
    assert sum(r["worth"] for r in found["removed"]) == pytest.approx(
        found["before"]["score"] - found["distilled"]["score"]
    )
    assert found["evaluations"] <= 8
    scored = ask("evaluate", found["file"], "--tasks", "kuhn2", "--tier", "generic", "--budget", 20)
    assert scored["scores"]["advantage"] == found["distilled"]["scores"]["advantage"]
    assert scored["scores"]["advantage"]["mean"] == found["distilled"]["score"]


def test_standard_output_holds_the_program_alone(invoke):
    result = invoke("distill", "cfr_plus", *SHORT, "--evaluations", 2, "--output", "-")
    assert result.exit_code == 0, result.stderr
    get_domain("cfr").check(result.stdout)
    assert "The budget of 2 evaluations is spent" in " ".join(result.stderr.split())


def test_ctrl_c_keeps_the_smallest_so_far(evolve_command, here):
    (here / "wordy.py").write_text(with_useless_mechanisms())
    process = evolve_command("distill", "wordy.py", *SHORT, "--evaluations", 5000, "--output", "small.py")
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "without" in first
    assert "the smallest program so far is in small.py" in err
    assert "Traceback" not in err
    assert size_of(Code((here / "small.py").read_text()).tree) < size_of(Code(with_useless_mechanisms()).tree)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("nonsense",), "program: expected a file, a seed's name"),
        (("cfr_plus", "--tasks", "nonsense"), "game: expected"),
        (("cfr_plus", "--output", "nowhere/small.py"), "--output: expected a file in a folder that exists"),
        (("own.py", "--output", "own.py"), "--output: expected another file than the program's own"),
        (("broken.py", *SHORT), "distill: expected a program that runs; it ended as exception"),
    ],
)
def test_what_cannot_be_used_is_one_line(invoke, here, arguments, said):
    (here / "own.py").write_text(seeds.source("cfr", "cfr"))
    (here / "broken.py").write_text(
        seeds.source("cfr", "cfr").replace("return info_states.norm", "return broken.norm")
    )
    result = invoke("distill", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"evolve: {said}")
    assert result.stderr.count("\n") == 1
    assert not list(here.glob("*_distilled.py"))
