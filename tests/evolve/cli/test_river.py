"""`evolve river`: a spot in a poker player's words, as tables, JSON and a page; what is impossible is refused."""

import re

import pytest

SPOT = (
    "--board",
    "Ks 7d 2c 9h 4s",
    "--pot",
    10,
    "--stack",
    40,
    "--range0",
    "22+,AT+,KQ",
    "--range1",
    "A2s+,KTs+,QQ-88",
)


def test_a_spot_is_solved_to_what_was_asked_for(ask):
    solved = ask("river", *SPOT, "--until", 0.5, "-n", 2000)
    assert solved["exploitability"]["percent"] < 0.5
    assert solved["exploitability"]["pots"] == solved["curve"][-1][1]
    assert solved["iterations"] == solved["curve"][-1][0] < 2000
    assert solved["program"]["name"] == "dcfr_plus"
    assert solved["spot"] == {
        "name": "", "board": "Ks7d2c9h4s", "pot": 10.0, "stack": 40.0,
        "bets": [0.5, 1.0, "a"], "raises": [1.0, "a"], "max_bets": 3,
    }  # fmt: skip
    start, *others = solved["nodes"]
    assert (start["path"], start["player"], start["actions"]) == (
        "start",
        0,
        ["check", "bet 0.5", "bet 1", "all-in"],
    )
    assert start["probability"] == pytest.approx(1.0)
    assert sum(mix["weight"] for mix in start["kinds"].values()) == pytest.approx(1.0)
    for node in (start, *others):
        for mix in (node["whole"], *node["hands"].values(), *node["kinds"].values()):
            assert sum(mix["frequencies"]) == pytest.approx(1.0)
    # What play reaches after the first player's actions is what all its hands do.
    reached = {node["path"]: node["probability"] for node in others}
    frequencies = dict(zip(start["actions"], start["whole"]["frequencies"], strict=True))
    assert {action: reached[action] for action in frequencies} == pytest.approx(frequencies)


def test_a_table_of_nodes_and_one_of_hands(invoke):
    result = invoke("river", *SPOT, "-n", 50)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"best responses gain [\d.]+ % of the pot", result.stdout)
    assert re.search(r"start +0 +check \d+%  bet 0.5 \d+%", result.stdout)
    result = invoke("river", *SPOT, "-n", 50, "--node", "check,bet 0.5")
    assert re.search(r"hands +share +fold +call +raise 1 +all-in", result.stdout)
    assert "KQs" in result.stdout


def test_a_page_of_grids(invoke, here):
    result = invoke("river", "river60-3", "-n", 20, "--page", "grids.html", "-p", "cfr_plus")
    assert result.exit_code == 0, result.stderr
    page = (here / "grids.html").read_text()
    assert page.count('<svg class="hands"') == page.count("<section")
    assert "20 iterations of cfr_plus" in page
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_libratus_endgame_by_name(ask):
    assert ask("river", "libratus4", "-n", 3)["spot"]["board"] == "JsKs5cQs7d"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "board: expected 5 cards"),
        (("leduc2",), "spot: expected libratus3"),
        (("river-3", "--pot", 20), "expected a name or a description; got 'river-3' and --pot"),
        ((*SPOT, "--node", "foo"), "--node: expected a node where somebody acts"),
        ((*SPOT, "--bets", "0"), "bets: expected sizes above 0"),
        ((*SPOT, "--bets", "5"), "within the stack of 40"),
        ((*SPOT, "--range0", "AX"), "range0: expected hands; got 'AX'"),
        ((*SPOT, "--page", "missing/x.html"), "missing/x.html cannot be written"),
        ((*SPOT, "--program", "nope"), "nope"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(invoke, arguments, message):
    result = invoke("river", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_what_is_refused_leaves_no_page(invoke, here):
    assert invoke("river", *SPOT, "--page", "grids.html", "--node", "foo").exit_code == 2
    assert not (here / "grids.html").exists()
    assert "cannot be written: Is a directory" in invoke("river", *SPOT, "--page", ".").stderr


def test_rules_are_compared_on_a_users_own_spot(ask):
    name = "river(board=Ks7d2c9h4s,pot=10,stack=40,range0=22+,AT+,range1=A2s+,KTs+)"
    found = ask("evaluate", "cfr_plus", "--games", f"{name},river60-1", "--iterations", 20, "--tier", "exact")
    assert {task["name"] for task in found["tasks"]} == {name, "river60-1"}
