"""The population: pure functions of (members, rng), so that a campaign can be told again from its database."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag
from evolve.search.population import Island, Population, Settings, choose, refine, signature, tell

OBJECTIVE, RESOLUTION = "score", 0.1

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


def scored(ordinal, *, tag=Tag.OK, island=0, stderr=0.0, n=1, statements=1, **means):
    """A candidate with scores: of the objective, and of its parts by their last letter."""
    names = {"objective": OBJECTIVE} | {part: f"{OBJECTIVE}/{part}" for part in means if part != "objective"}
    outcome = Outcome(tag)
    scores = {names[part]: Score(mean, stderr, n) for part, mean in means.items()}
    evaluation = Evaluation(outcome, scores=scores if outcome.ok else {})
    return Candidate(
        ordinal, "toy", f"p{ordinal}", island=island, source="x = y\n" * statements, outcome=outcome,
        evaluation=evaluation,
    )  # fmt: skip


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
def test_exact_scores_are_led_by_the_best_told_so_far_and_the_earliest_among_equals(history, settings):
    for count, state in enumerate(told(history, settings)):
        ok = [member(k, *pair) for k, pair in enumerate(history[:count]) if pair is not None]
        expected = min(ok, key=lambda m: (-m.mean(OBJECTIVE), m.ordinal), default=None)
        assert (state.leader and state.leader.ordinal) == (expected and expected.ordinal)
        assert state.best_of(lambda _: True) is state.leader


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
    assert state.leader.ordinal == 0


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
    if state.leader is None:
        return
    before = archived(state)
    refined = member(state.leader.ordinal, value, island=state.leader.island)
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
    assert gone.leader.ordinal == 1


def test_refining_who_is_in_no_archive_changes_nothing():
    state = told([(1.0, 1.0), (3.0, 3.0)], Settings(islands=1))[-1]
    assert refine(state, member(9, 5.0)) == state


# Noisy scores: members are ranked by a lower bound, and the smallest of those that are level is the best.


def noisy(ordinal, mean, stderr, **options):
    return scored(ordinal, objective=mean, stderr=stderr, **options)


@st.composite
def estimates(draw, most=8):
    """Members of one island whose scores have standard errors, whatever ranks they have."""
    few = st.integers(0, 6).map(lambda value: value / 4)
    each = st.tuples(few, few, st.integers(1, 3), st.integers(1, 3))
    return [
        noisy(ordinal, mean, stderr, n=n, statements=statements)
        for ordinal, (mean, stderr, n, statements) in enumerate(draw(st.lists(each, max_size=most)))
    ]


factors = st.sampled_from([0.0, 0.5, 1.0, 2.0])


def ranked(members, **options):
    state = population((), **options)
    return replace(state, islands=(Island(tuple(sorted(members, key=state.order))),))


@given(estimates(), factors)
def test_members_are_ranked_by_their_score_less_its_errors(members, caution):
    """Told one after the other to an island that keeps all of them apart."""
    state = Population.empty(OBJECTIVE, Settings(islands=1, caution=caution), 1e-9)
    for one in members:
        state = tell(state, one.ordinal, one)
    bounds = [m.mean(OBJECTIVE) - caution * m.scores[OBJECTIVE].stderr for m in archived(state)]
    assert bounds == sorted(bounds, reverse=True)
    ordinals = [m.ordinal for m in archived(state)]
    assert ordinals == sorted(ordinals, key=lambda k: (-bounds[ordinals.index(k)], k))


def test_one_that_was_measured_once_has_to_be_better_by_more():
    lucky, sure = noisy(0, 1.0, 0.4), noisy(1, 0.8, 0.1, n=4)
    assert ranked([lucky, sure], caution=1.0).leader is sure
    assert ranked([lucky, sure], caution=0.5).leader is lucky


@pytest.mark.parametrize(("caution", "first"), [(0.0, 0), (1.0, 1)])
def test_parents_are_drawn_by_the_same_bound(caution, first):
    state = population([noisy(0, 1.0, 0.4), noisy(1, 0.8, 0.1)], caution=caution, temperature=0.01)
    assert drawn(state, 50) == {first: 50}


@given(estimates(), factors, factors, st.sets(st.integers(0, 7)))
def test_the_best_is_the_smallest_of_those_that_are_level_with_the_leader(members, caution, parsimony, known):
    state = ranked(members, caution=caution, parsimony=parsimony)
    best = state.best_of(lambda m: m.ordinal in known)
    rows = [
        (m, m.mean(OBJECTIVE), m.scores[OBJECTIVE].stderr, m.scores[OBJECTIVE].n, m.source.count("="))
        for m in members
        if m.ordinal in known
    ]
    if not rows:
        assert best is None
        return
    rows.sort(key=lambda row: (-(row[1] - caution * row[2]), row[0].ordinal))
    leader, mean, stderr, n, _ = rows[0]
    level = [rows[0], *(row for row in rows[1:] if row[1] > mean - parsimony * stderr and row[3] >= n)]
    smallest = min(row[4] for row in level)
    assert best is next(row[0] for row in level if row[4] == smallest)
    assert best.source.count("=") <= leader.source.count("=")


@given(estimates(), factors)
def test_without_parsimony_and_caution_the_best_has_the_highest_score(members, parsimony):
    state = ranked(members, caution=0.0, parsimony=0.0)
    assert state.best_of(lambda _: True) is state.leader
    if state.leader:
        assert state.leader.mean(OBJECTIVE) == max(m.mean(OBJECTIVE) for m in members)


@given(estimates(), factors)
def test_more_parsimony_never_makes_the_best_larger(members, caution):
    bests = [
        ranked(members, caution=caution, parsimony=parsimony).best_of(lambda _: True)
        for parsimony in (0.0, 0.5, 1.0, 2.0)
    ]
    sizes = [best.source.count("=") for best in bests if best]
    assert sizes == sorted(sizes, reverse=True)


def test_a_smaller_program_that_was_measured_less_does_not_replace_the_leader():
    leader = noisy(0, 1.0, 0.2, n=8, statements=9)
    for n, best in ((7, 0), (8, 1), (9, 1)):
        assert ranked([leader, noisy(1, 0.9, 0.2, n=n)]).best_of(lambda _: True).ordinal == best


def test_constants_decide_between_programs_of_as_many_nodes():
    long, short = (replace(noisy(k, 1.0, 0.2), source=f"x = {v}\n") for k, v in enumerate(("0.125", "0.5")))
    assert ranked([long, short]).best_of(lambda _: True) is short


def test_what_does_not_parse_has_its_length_for_a_size():
    long, short = (replace(noisy(k, 1.0, 0.2), source=v) for k, v in enumerate(("no program", "no code")))
    assert ranked([long, short]).best_of(lambda _: True) is short


@given(histories, settings_, st.sets(st.integers(0, 80)))
def test_the_best_is_one_that_is_known_well_enough(history, settings, known):
    for state in told(history, settings):
        best = state.best_of(lambda m: m.ordinal in known)
        names = {m.ordinal for m in archived(state)} & known
        assert best.ordinal in names if names else best is None
