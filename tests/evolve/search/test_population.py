"""The population: pure functions of (members, rng), so that a campaign can be told again from its database."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag
from evolve.search.population import Island, Population, Settings, choose, refine, signature, tell

OBJECTIVE, RESOLUTION = "decades", 0.1

# Few different values, so that clusters and ties come about.
scores = st.integers(0, 12).map(lambda value: value / 2) | st.floats(0, 6).map(lambda value: round(value, 3))
histories = st.lists(st.none() | st.tuples(scores, scores), min_size=1, max_size=80)
settings_ = st.builds(
    Settings,
    islands=st.integers(1, 4),
    archive=st.integers(2, 6),
    migrate_every=st.integers(1, 6),
    stagnation=st.integers(1, 8),
)


def scored(ordinal, *, tag=Tag.OK, island=0, **means):
    """A candidate with scores: of the objective, and of its parts by their last letter."""
    names = {"objective": OBJECTIVE} | {part: f"{OBJECTIVE}/{part}" for part in means if part != "objective"}
    outcome = Outcome(tag)
    scores = {names[part]: Score(mean) for part, mean in means.items()}
    evaluation = Evaluation(outcome, scores=scores if outcome.ok else {})
    return Candidate(ordinal, "toy", f"p{ordinal}", island=island, outcome=outcome, evaluation=evaluation)


def member(ordinal, a, b=None, *, island=0):
    b = a if b is None else b
    return scored(ordinal, island=island, objective=(a + b) / 2, a=a, b=b)


def told(history, settings):
    """All states of the population while `history` is told; None stands for a candidate that did not end ok."""
    states = [Population.empty(OBJECTIVE, settings, RESOLUTION)]
    for ordinal, pair in enumerate(history):
        island = ordinal % settings.islands
        states.append(tell(states[-1], ordinal, pair and member(ordinal, *pair, island=island)))
    return states


def population(archive, **options):
    settings = Settings(islands=1, **options)
    return Population(OBJECTIVE, settings, RESOLUTION, (Island(archive=tuple(archive)),))


def archived(state):
    return [m for island in state.islands for m in island.archive]


@given(histories, settings_)
def test_same_tells_give_the_same_population(history, settings):
    assert told(history, settings)[-1] == told(history, settings)[-1]


@given(histories, settings_, st.integers(0, 9))
def test_same_generator_state_gives_the_same_parents(history, settings, seed):
    state = told(history, settings)[-1]
    assert choose(state, 7, 2, random.Random(seed)) == choose(state, 7, 2, random.Random(seed))


@given(histories, settings_)
def test_a_tell_changes_nothing_of_the_state_before(history, settings):
    states = told(history, settings)
    before = [repr(state) for state in states]
    tell(states[-1], len(history), member(len(history), 6.0))
    assert [repr(state) for state in states] == before


@given(histories, settings_)
def test_best_is_the_best_told_so_far_and_the_earliest_among_equals(history, settings):
    for count, state in enumerate(told(history, settings)):
        ok = [member(k, *pair) for k, pair in enumerate(history[:count]) if pair is not None]
        expected = min(ok, key=lambda m: (-m.mean(OBJECTIVE), m.ordinal), default=None)
        assert (state.best and state.best.ordinal) == (expected and expected.ordinal)


@given(histories, settings_)
def test_archives_are_bounded(history, settings):
    assert all(len(i.archive) <= settings.archive for state in told(history, settings) for i in state.islands)


@given(histories, settings_)
def test_archives_hold_only_programs_that_ended_ok(history, settings):
    ok = {f"p{k}" for k, pair in enumerate(history) if pair is not None}
    assert {m.program_id for m in archived(told(history, settings)[-1])} <= ok


@given(histories, settings_)
def test_an_archive_holds_one_member_of_each_cluster(history, settings):
    for island in told(history, settings)[-1].islands:
        clusters = [signature(m, OBJECTIVE, RESOLUTION) for m in island.archive]
        assert len(clusters) == len(set(clusters))


@given(histories, settings_)
def test_no_archive_holds_a_program_twice(history, settings):
    for island in told(history, settings)[-1].islands:
        assert len({m.program_id for m in island.archive}) == len(island.archive)


@given(histories, settings_)
def test_archives_are_ranked_best_first(history, settings):
    for island in told(history, settings)[-1].islands:
        keys = [(-m.mean(OBJECTIVE), m.ordinal) for m in island.archive]
        assert keys == sorted(keys)


def test_of_a_cluster_the_better_one_stays():
    state = told([(1.0, 1.0), (2.0, 2.0), (2.01, 2.01), (2.005, 2.005)], Settings(islands=1))[-1]
    assert [m.ordinal for m in archived(state)] == [2, 0]


def test_of_equal_programs_the_earlier_one_stays():
    state = told([(1.0, 1.0), (1.0, 1.0)], Settings(islands=1))[-1]
    assert [m.ordinal for m in archived(state)] == [0]


def test_a_specialist_survives_a_crowd_of_better_generalists():
    crowd = [(3.0 + k / 5, 3.0 + k / 5) for k in range(8)]
    state = told([(0.0, 5.9), *crowd], Settings(islands=1, archive=3))[-1]
    assert 0 in {m.ordinal for m in archived(state)}


def test_the_best_program_survives_a_crowd_of_specialists():
    state = told([(3.0, 3.0), (5.0, 0.0), (0.0, 5.0)], Settings(islands=1, archive=2))[-1]
    assert state.best.ordinal == 0


def test_the_seed_founds_every_island():
    state = told([(1.0, 1.0)], Settings(islands=3))[-1]
    assert [[m.ordinal for m in island.archive] for island in state.islands] == [[0], [0], [0]]


def test_a_failed_seed_leaves_the_founding_to_the_next_program():
    state = told([None, None, (1.0, 1.0)], Settings(islands=2))[-1]
    assert [[m.ordinal for m in island.archive] for island in state.islands] == [[2], [2]]


def test_an_island_receives_its_own_candidates_only_between_migrations():
    history = [(float(k % 6), 0.0) for k in range(12)]
    state = told(history, Settings(islands=3, migrate_every=1000))[-1]
    for index, island in enumerate(state.islands):
        assert {m.ordinal % 3 for m in island.archive if m.ordinal} <= {index}


def test_an_island_is_visited_by_its_neighbours_best_program():
    # Ordinals 1, 3 go to island 1; its second tell brings the best of island 0.
    state = told([(1.0, 1.0), None, (5.0, 5.0), None], Settings(islands=2, migrate_every=2))[-1]
    assert [m.ordinal for m in state.islands[1].archive] == [2, 0]


def test_an_island_that_stagnates_starts_again_from_the_best_of_all():
    settings = Settings(islands=2, migrate_every=1000, stagnation=2)
    # Island 1 gets worse and worse programs; its third tell without a better one reseeds it.
    history = [(4.0, 4.0), (3.0, 3.0), (5.0, 5.0), (2.0, 2.0), (5.5, 5.5), (1.0, 1.0)]
    state = told(history, settings)[-1]
    assert [m.ordinal for m in state.islands[1].archive] == [4, 0]
    assert state.islands[1].improved_at == state.islands[1].tells


def test_a_reseeded_island_holds_one_member_of_each_cluster():
    settings = Settings(islands=2, migrate_every=1000, stagnation=1)
    # 2.01 and 2.0 lead the two islands and are one cluster when island 0 starts again.
    state = told([(1.0, 1.0), (2.0, 2.0), (2.01, 2.01), None, None, None, None], settings)[-1]
    assert [m.ordinal for m in state.islands[0].archive] == [2]


def test_an_island_that_improves_is_not_reseeded():
    settings = Settings(islands=1, stagnation=2)
    state = told([(k / 2, k / 2) for k in range(10)], settings)[-1]
    assert len(state.islands[0].archive) == 10


@given(histories, settings_, st.integers(0, 99), st.integers(1, 4))
def test_parents_are_distinct_and_archived_in_the_candidates_island(history, settings, ordinal, count):
    state = told(history, settings)[-1]
    archive = state.islands[ordinal % settings.islands].archive
    parents = choose(state, ordinal, count, random.Random(0))
    assert len({p.program_id for p in parents}) == len(parents) == min(count, len(archive))
    assert set(map(id, parents)) <= set(map(id, archive))


def test_an_island_with_only_the_seed_gives_one_parent():
    state = told([(1.0, 1.0)], Settings(islands=2))[-1]
    assert [m.ordinal for m in choose(state, 1, 2, random.Random(0))] == [0]


def test_an_empty_population_gives_no_parent():
    assert choose(Population.empty(OBJECTIVE, Settings(), RESOLUTION), 1, 2, random.Random(0)) == []


def drawn(state, times=2000):
    rng = random.Random(0)
    return Counter(choose(state, 0, 1, rng)[0].ordinal for _ in range(times))


def test_better_programs_are_drawn_more_often():
    counts = drawn(population([member(k, 5.0 - k) for k in range(5)], specialists=0.0))
    assert [ordinal for ordinal, _ in counts.most_common()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("temperature", [0.5, 2.0, 8.0])
def test_the_first_rank_leads_the_second_by_the_temperature(temperature):
    state = population([member(0, 2.0), member(1, 1.0)], specialists=0.0, temperature=temperature)
    ratio = 2.718281828 ** (1 / temperature)
    assert drawn(state)[0] / 2000 == pytest.approx(ratio / (1 + ratio), abs=0.04)


def test_a_share_of_the_parents_is_ranked_by_one_game():
    generalist, specialist = member(0, 4.0, 4.0), member(1, 0.0, 5.0)
    cold = {"temperature": 0.01}
    by_objective = drawn(population([generalist, specialist], specialists=0.0, **cold))
    half = drawn(population([generalist, specialist], specialists=1.0, **cold))
    assert by_objective == {0: 2000}
    assert half[1] == pytest.approx(1000, abs=100)


def test_objectives_without_games_are_their_own_cluster():
    one, other = (scored(k, objective=1.0 + k) for k in range(2))
    state = tell(tell(Population.empty(OBJECTIVE, Settings(islands=1), RESOLUTION), 0, one), 1, other)
    assert [m.ordinal for m in archived(state)] == [1, 0]


def test_scores_closer_than_the_metric_s_unit_are_told_apart_by_its_resolution():
    """A metric whose values lie between 0.50 and 0.54 and are resolved to 0.001 has room for more than one program."""
    state = Population.empty(OBJECTIVE, Settings(islands=1, archive=24, stagnation=1000), 0.001)
    for ordinal in range(200):
        state = tell(state, ordinal, member(ordinal, 0.5 + 0.04 * ((ordinal * 37) % 200) / 200))
    archive = archived(state)
    assert len(archive) == 24
    values = [round(m.mean(OBJECTIVE) / 0.001) for m in archive]
    assert len(set(values)) == 24
    assert min(values) == 540 - 23


@pytest.mark.parametrize(("resolution", "kept"), [(0.001, 24), (0.01, 5), (0.1, 1)])
def test_the_resolution_decides_how_many_programs_are_one_behaviour(resolution, kept):
    state = Population.empty(OBJECTIVE, Settings(islands=1), resolution)
    for ordinal in range(200):
        state = tell(state, ordinal, member(ordinal, 0.5 + 0.04 * ordinal / 200))
    assert len(archived(state)) == kept


@given(histories, settings_, scores)
def test_a_refined_member_takes_its_new_rank(history, settings, value):
    state = told(history, settings)[-1]
    if state.best is None:
        return
    before = archived(state)
    refined = member(state.best.ordinal, value, island=state.best.island)
    after = refine(state, refined)
    assert sorted(m.ordinal for m in archived(after)) == sorted(m.ordinal for m in before)
    for island in after.islands:
        keys = [(-m.mean(OBJECTIVE), m.ordinal) for m in island.archive]
        assert keys == sorted(keys)
        assert all(m is refined for m in island.archive if m.ordinal == refined.ordinal)


def test_a_member_that_fails_on_further_results_leaves_every_archive():
    state = told([(1.0, 1.0), (3.0, 3.0)], Settings(islands=2))[-1]
    gone = refine(state, scored(0, tag=Tag.TIMEOUT))
    assert [[m.ordinal for m in island.archive] for island in gone.islands] == [[], [1]]
    assert gone.best.ordinal == 1


def test_refining_who_is_in_no_archive_changes_nothing():
    state = told([(1.0, 1.0), (3.0, 3.0)], Settings(islands=1))[-1]
    assert refine(state, member(9, 5.0)) == state
