"""Programs over dictionaries: the same numbers as over arrays, what they are shown, and what they may return."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from open_spiel.python import policy as openspiel_policy
from typer.testing import CliRunner

import seeds
from evaluators.cfr.domain import DOMAIN, PER_INFOSET_TIME, is_per_infoset
from evaluators.cfr.loop import CfrRun, shared_bytes
from evaluators.contract import ProgramError
from evaluators.games.compile import load_turn_based
from evaluators.games.loading import load
from evaluators.records import Tag
from evolve.cli.app import app
from sandbox.base import Limits
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox

PROGRAMS = {path.stem: path.read_text() for path in (Path(__file__).parent / "programs").glob("*.py")}
SEEDS = {"cfr_plus": "cfr_plus", "dcfr": "dcfr", "aod_cfr": "aod_cfr", "vad_cfr": "vad_cfr_shared"}
"""Program -> the seed that is the same rule over arrays."""
GAMES = {"kuhn3": 20, "leduc2": 10, "goofspiel4": 10}
"""Game -> iterations."""
SEED = PROGRAMS["cfr_plus"]


@pytest.fixture(scope="module")
def runner():
    with ProcessSandbox() as sandbox:
        yield sandbox


def started(source, game):
    prepared = DOMAIN.prepare(source)
    session = InProcessSandbox().open(
        prepared.guest, prepared.source, limits=Limits(), shared_bytes=shared_bytes(game)
    )
    return CfrRun(prepared, game, session)


def warmed_up(source):
    """VAD-CFR averages from iteration 2 on: before iteration 500 its average is uniform, and any code passes."""
    return source.replace("WARM_UP = 500", "WARM_UP = 2").replace(
        "iteration_number < 500", "iteration_number < 2"
    )


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize("game", GAMES)
def test_agrees_with_the_same_rule_over_arrays(name, game):
    """Policies and averages at every iteration, on perturbed payoffs: rounding decides ties of the exact games."""
    sources = PROGRAMS[name], seeds.source("cfr", SEEDS[name])
    assert [DOMAIN.prepare(source).per_infoset for source in sources] == [True, False]
    rows, flat = (started(warmed_up(source), load(game, "generic-0")) for source in sources)
    for _ in range(GAMES[game]):
        rows.iterate()
        flat.iterate()
        for mine, other in zip(rows.policies, flat.policies, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
        for mine, other in zip(rows.average_policies(), flat.average_policies(), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_the_sandbox_changes_no_bit(runner):
    plan = DOMAIN.plan(["kuhn3"], tiers=("generic",), budget=10)
    for source in PROGRAMS.values():
        inside, beside = (DOMAIN.evaluate(source, plan, sandbox) for sandbox in (runner, InProcessSandbox()))
        assert inside.outcome.ok, inside.outcome.message
        assert [r.curve for r in inside.results] == [r.curve for r in beside.results]
        assert inside.scores == beside.scores


def test_reads_the_counterfactual_reach():
    change = ("(iteration_number + 1) * reach_prob", "counterfactual_reach_prob * reach_prob")
    rows = started(SEED.replace(*change), load("leduc2"))
    array = "weight = info_states.per_action(counterfactual_reach_prob)"
    flat = started(
        seeds.source("cfr", "cfr_plus").replace("weight = iteration_number + 1", array), load("leduc2")
    )
    for _ in range(3):
        rows.iterate()
        flat.iterate()
    for mine, other in zip(rows.average_policies(), flat.average_policies(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9)


class Recorder:
    """A program that writes down what it is shown; one object is all three components."""

    def __init__(self):
        self.shown = []

    def __call__(self):
        return self

    def update_accumulate_regret(self, node, iteration, regrets):
        self.shown.append(("regret", node, iteration, dict(node.cumulative_regret), regrets))
        return {action: node.cumulative_regret[action] + regret for action, regret in regrets.items()}

    def update_accumulate_policy(self, node, iteration, policy, regrets, reach, counterfactual_reach):
        self.shown.append(("average", node, iteration, dict(node.cumulative_policy), policy, regrets, reach))
        return dict(policy)

    def get_updated_current_policy(self, node, iteration, regrets, previous):
        self.shown.append(("policy", node, iteration, dict(node.cumulative_regret), regrets, previous))
        return dict.fromkeys(node.legal_actions, 1 / len(node.legal_actions))

    def begin(self, game):
        """The guest's handlers for this program."""
        guest, program = ModuleType("guest"), ModuleType("program")
        for component in DOMAIN.components:
            setattr(program, component.name, self)
        exec(DOMAIN.guest_per_infoset, guest.__dict__)
        handlers = guest.start(program)
        trees = game.form.trees
        handlers["begin"]((), [a for p, n in enumerate(game.num_actions) for a in (n, trees[p].action)])
        return handlers


def test_what_a_program_is_shown():
    game, recorder = load("goofspiel3"), Recorder()
    handlers = recorder.begin(game)
    for k in range(2):
        for p in range(2):
            handlers["step"]((p, k), [np.arange(float(game.num_pairs[p])), game.reach(p)])
    first, second = game.num_infosets
    assert [(what, node.index_in_tabular_policy) for what, node, *_ in recorder.shown] == 2 * [
        *[(what, i) for what in ("regret", "average", "policy") for i in range(first)],
        *[(what, i) for what in ("regret", "average", "policy") for i in range(first, first + second)],
    ]
    offset, actions = game.form.trees[0].offset.tolist(), game.form.trees[0].action.tolist()
    again = recorder.shown[3 * (first + second) :]
    for i in range(first):
        legal = actions[offset[i] : offset[i + 1]]
        regrets = dict(zip(legal, map(float, range(offset[i], offset[i + 1])), strict=True))
        uniform = dict.fromkeys(legal, 1 / len(legal))
        before = recorder.shown[i]
        assert before[1].legal_actions == legal
        assert before[2:] == (0, {}, regrets)
        assert again[i][1] is before[1]
        assert again[i][2:] == (1, regrets, regrets)
        assert again[first + i][2:] == (1, uniform, uniform, regrets, game.reach(0)[i])
        assert again[2 * first + i][2:] == (1, {a: 2 * r for a, r in regrets.items()}, regrets, uniform)
    numbers = [again[0][2], again[first][6], *again[0][4].values(), *again[0][1].legal_actions]
    assert {type(number) for number in numbers} == {int, float}


def test_a_number_that_is_not_there_yet_is_zero():
    game, recorder = load("kuhn2"), Recorder()
    recorder.begin(game)["step"]((0, 0), [np.zeros(game.num_pairs[0]), game.reach(0)])
    node = recorder.shown[0][1]
    assert node.cumulative_policy[node.legal_actions[0]] == 0.5
    fresh = type(node)([0, 1], 7)
    assert (fresh.cumulative_regret[1], fresh.cumulative_policy[0]) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["kuhn3", "goofspiel4"])
def test_the_index_is_openspiels(name):
    game = load(name)
    keys = [key for p in range(game.num_players) for key in game.form.infoset_keys(p)]
    lookup = openspiel_policy.TabularPolicy(load_turn_based(game.game_string)).state_lookup
    assert [lookup[key] for key in keys] == list(range(len(keys)))


REUSING = """
def reusing(method, buffer):
    def again(self, *arguments):
        returned = dict(method(self, *arguments))
        buffer.clear()
        buffer.update(returned)
        return buffer
    return again

for component, name in METHODS.items():
    setattr(globals()[component], name, reusing(getattr(globals()[component], name), {}))
"""


def test_a_program_may_return_the_same_dictionary_again(plan):
    methods = {component.name: component.method for component in DOMAIN.components}
    source = f"{SEED}\nMETHODS = {methods}\n{REUSING}"
    one, other = (DOMAIN.evaluate(s, plan, InProcessSandbox()).results[0].curve for s in (SEED, source))
    assert one == other


REGRET = "for action, regret in cfr_regrets.items():"
POLICY = "mass = sum(regrets.values())"
AVERAGE = "weight = (iteration_number + 1) * reach_prob"
METHODS = {
    REGRET: "update_accumulate_regret",
    POLICY: "get_updated_current_policy",
    AVERAGE: "update_accumulate_policy",
}
"""A statement that every call of a method comes to -> the method."""


def changed(statement, *before):
    """CFR+ with other statements before one of its own."""
    assert SEED.count(statement) == 1
    return SEED.replace(statement, "\n        ".join((*before, statement)))


RETURNED = {
    "nothing": ("None", "got NoneType: None"),
    "a list": ("[0.5, 0.5]", "got list: [0.5, 0.5]"),
    "a list of lists": ("[[1.0], [0.5, 0.5]]", "got list: [[1.0], [0.5, 0.5]]"),
    "an array": ("__import__('numpy').ones(2)", "got ndarray: array([1., 1.])"),
    "a number": ("0.0", "got float: 0.0"),
    "not a number": ("{0: float('nan'), 1: 1.0}", "got {0: nan, 1: 1.0}, which is not finite for action 0"),
    "infinite": ("{0: 0.0, 1: float('inf')}", "which is not finite for action 1"),
    "too large": ("{0: 0.0, 1: 10**400}", "which is no number for action 1"),
    "an action missing": ("{0: 1.0}", "got {0: 1.0}, which has nothing for action 1"),
    "an empty dict": ("{}", "got {}, which has nothing for action 0"),
    "another action": ("{0: 0.5, 1: 0.5, 2: 0.0}", "in which 2 is no legal action"),
    "names for actions": ("{'0': 0.5, '1': 0.5}", "which has nothing for action 0"),
    "text": ("{0: '1.0', 1: 0.0}", "which is no number for action 0"),
    "nested": ("{0: [1.0], 1: [0.0]}", "which is no number for action 0"),
    "complex numbers": ("{0: 1.0, 1: 1j}", "which is no number for action 1"),
}


@pytest.fixture(scope="module")
def plan():
    return replace(
        DOMAIN.plan(["kuhn2"], tiers=("exact",), budget=3), limits=Limits(cpu_s=0.1, memory_mib=128)
    )


@pytest.mark.parametrize("statement", METHODS, ids=METHODS.get)
@pytest.mark.parametrize("name", RETURNED)
def test_what_is_no_dictionary_of_numbers_is_invalid(plan, name, statement):
    value, said = RETURNED[name]
    when = "if iteration_number == 1 and info_state_node.index_in_tabular_policy == 8:"
    outcome = DOMAIN.evaluate(changed(statement, f"{when} return {value}"), plan, InProcessSandbox()).outcome
    assert outcome.tag is Tag.INVALID, outcome.message
    assert outcome.message.startswith(
        f"kuhn2: {METHODS[statement]}, iteration 1, player 1, information set 2 (index_in_tabular_policy 8): "
        "expected a dict with a finite number for each of the legal actions [0, 1] and for nothing else; got "
    )
    assert said in outcome.message


def test_a_long_return_value_is_cut_short(plan):
    source = changed(POLICY, "return {action: 0.5 for action in range(10**4)}")
    assert len(DOMAIN.evaluate(source, plan, InProcessSandbox()).outcome.message) < 600


ENDS = {
    "negative": (changed(POLICY, "return {0: 1.5, 1: -0.5}"), Tag.INVALID, "no entry below -1e-9; got"),
    "all zero": (changed(POLICY, "return {0: 0.0, 1: 0.0}"), Tag.INVALID, "a sum within 1e-6 of 1; got"),
    "negative average": (changed(AVERAGE, "return {0: 1.0, 1: -1.0}"), Tag.INVALID, "update_accumulate_policy"),
    "not a number": (changed(POLICY, "return {0: float('nan'), 1: 1.0}"), Tag.INVALID, "not finite"),
    "division by zero": (
        changed(POLICY, "mass = 1 / sum(0.0 * regret for regret in cfr_regrets.values())"),
        Tag.EXCEPTION,
        "ZeroDivisionError",
    ),
    "unknown attribute": (changed(POLICY, "info_state_node.max_actions"), Tag.EXCEPTION, "AttributeError"),
    "growing state": (
        changed(REGRET, "self.kept = [*getattr(self, 'kept', []), bytearray(10**7)]"), Tag.MEMORY, "kuhn2",
    ),
    "endless loop": (changed(REGRET, "while True: pass"), Tag.CPU_LIMIT, "kuhn2"),
    "integers": (changed(POLICY, "return {0: 1, 1: 0}"), Tag.OK, ""),
    "numpy's numbers": (
        changed(POLICY, "import numpy", "return {numpy.int64(0): numpy.float32(1.0), 1: False}"), Tag.OK, "",
    ),
    "numpy's functions": (
        changed(POLICY, "import numpy", "return dict(zip(regrets, numpy.full(len(regrets), 1 / len(regrets))))"),
        Tag.OK,
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_ends_as_it_should_and_says_where(runner, plan, name):
    source, tag, said = ENDS[name]
    outcome = DOMAIN.evaluate(source, plan, runner).outcome
    assert outcome.tag is tag, outcome.message
    assert said in outcome.message
    if tag is Tag.EXCEPTION:
        assert "program.py, line " in outcome.message


def test_gets_more_time_than_programs_over_arrays(monkeypatch, plan):
    seen = []
    monkeypatch.setattr(InProcessSandbox, "open", lambda *args, limits, **more: seen.append(limits) or 1 / 0)
    for source in (SEED, seeds.source("cfr", "cfr_plus")):
        with pytest.raises(ZeroDivisionError):
            DOMAIN.evaluate(source, plan, InProcessSandbox())
    limits = plan.limits
    more = replace(limits, cpu_s=PER_INFOSET_TIME * limits.cpu_s, wall_s=PER_INFOSET_TIME * limits.wall_s)
    assert seen == [more, limits]


def test_the_command_line_takes_a_file(tmp_path):
    path = tmp_path / "published.py"
    path.write_text(SEED)
    arguments = ["evaluate", str(path), "--games", "kuhn2", "--iterations", "10", "--in-process", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    expected = DOMAIN.evaluate(
        seeds.source("cfr", "cfr_plus"), DOMAIN.plan(["kuhn2"], tiers=("exact",), budget=10), InProcessSandbox()
    )  # fmt: skip
    assert repr(expected.results[0].value) in result.output


class TestCheck:
    """`CfrDomain.check` takes either form, and no mixture."""

    def refused(self, source):
        with pytest.raises(ProgramError) as caught:
            DOMAIN.check(source)
        return caught.value

    def test_accepts_the_dictionary_form(self):
        for source in PROGRAMS.values():
            DOMAIN.check(source)
            assert is_per_infoset(source)

    def test_a_mixture_names_each_classs_form(self):
        head, tail = SEED.split("class PolicyAccumulator")
        error = self.refused(f"{head}class PolicyAccumulator{tail.replace('info_state_node', 'info_states')}")
        assert error.message == (
            "program: expected the same first argument in all three methods; got info_state_node in "
            "RegretAccumulator, info_state_node in PolicyFromRegretAccumulator, info_states in PolicyAccumulator."
        )
        assert error.hint.startswith(
            "The first argument is info_states (arrays over all information sets) or "
        )

    def test_other_arguments_are_those_of_this_form(self):
        error = self.refused(SEED.replace("iteration_number, cfr_regrets):", "cfr_regrets):"))
        assert error.message == (
            "program: expected RegretAccumulator.update_accumulate_regret(self, info_state_node, "
            "iteration_number, cfr_regrets); got (self, info_state_node, cfr_regrets)."
        )

    def test_another_first_argument_learns_of_both_forms(self):
        error = self.refused(SEED.replace("info_state_node", "node"))
        assert "expected RegretAccumulator.update_accumulate_regret(self, info_states, " in error.message
        assert "info_state_node (dictionaries" in error.hint

    @pytest.mark.parametrize("source", ["x = 1", "class RegretAccumulator: pass", seeds.source("cfr", "cfr")])
    def test_anything_else_is_not_in_this_form(self, source):
        assert not is_per_infoset(source)

    def test_the_first_argument_counts_however_it_is_spelt(self):
        # Python reads identifiers in their NFKC form, so this is one and the same name.
        assert is_per_infoset(SEED.replace("info_state_node", "\uff49nfo_state_node"))
