"""`evolve report`: files, defaults, and what a person gets wrong."""

import tomllib

import pytest

from evolve.config import parse_config
from results.store import open_store

NAME = "cfr-symbolic-s0"


def test_writes_one_page(invoke, finished, here):
    result = invoke("report", NAME, "--db", finished[0])
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"Wrote {NAME}.html." in result.stderr
    text = (here / f"{NAME}.html").read_text()
    for name in ("kuhn2", "pdcfr_plus", "RegretAccumulator", "evolve run campaign.toml"):
        assert name in text
    assert [file.name for file in here.iterdir()] == [f"{NAME}.html"]


def test_a_report_may_be_written_again(invoke, finished, here):
    for _ in range(2):
        assert invoke("report", NAME, "-o", "r.html", "--db", finished[0]).exit_code == 0
    assert invoke("report", NAME, "-o", "r.md", "--db", finished[0]).exit_code == 0
    assert invoke("report", NAME, "-o", "r.md", "--db", finished[0]).exit_code == 0


def test_markdown_with_figures_beside_it(ask, finished, here):
    found = ask("report", NAME, "--format", "md", "--db", finished[0])
    assert (found["file"], found["format"], found["campaign"]) == (f"{NAME}.md", "md", NAME)
    assert found["figures"]
    assert all((here / name).read_text().startswith("<svg") for name in found["figures"])
    text = (here / f"{NAME}.md").read_text()
    assert all(name in text for name in found["figures"])
    assert found["verdict"][0] in text.replace("\\", "")


def test_the_configuration_in_it_repeats_the_campaign(invoke, finished, here):
    invoke("report", NAME, "-o", "r.md", "--db", finished[0])
    block = (here / "r.md").read_text().split("```toml\n")[1].split("```")[0]
    with open_store(finished[0], create=False, read_only=True) as store:
        stored = store.find_campaign(NAME).config
    assert parse_config(tomllib.loads(block)) == parse_config(stored | {"db": ""})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cfr-symbolic-s1",), "Did you mean 'cfr-symbolic-s0'?"),
        ((NAME, "--output", "none/x.html"), "No such file or directory"),
        ((NAME, "--output", "."), "is a directory"),
        ((NAME, "--output", "mine.html"), "mine.html exists and is no report"),
    ],
)
def test_what_a_person_gets_wrong(invoke, finished, here, arguments, said):
    (here / "mine.html").write_text("<p>My own page</p>")
    result = invoke("report", *arguments, "--db", finished[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert (here / "mine.html").read_text() == "<p>My own page</p>"
