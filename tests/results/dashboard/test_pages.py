"""Every page over HTTP: what it shows, and what is said of what there is not."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import event

from evaluators.records import Metric, Outcome, Score, Tag, Task, TaskResult
from results.dashboard import table
from results.errors import DatabaseError, UnknownNameError
from results.records import HeldOutEvaluation
from results.store import open_store

PAGES = (
    "/",
    "/campaigns/first",
    "/campaigns/first/programs",
    "/campaigns/first/programs?sort=-score&outcome=ok",
    "/campaigns/first/candidates/0",
    "/campaigns/first/candidates/2",
    "/campaigns/first/candidates/12",
    "/campaigns/first/lineage",
    "/campaigns/first/lineage?of=3",
    "/programs/plain",
    "/programs/first:best",
    "/compare",
    "/compare?a=first:best&b=second:best",
    "/compare/campaigns",
    "/compare/campaigns?name=first&name=second",
)
FIGURES = (
    "/campaigns/first/figures/best-by-candidate.svg",
    "/campaigns/first/figures/best-by-cpu.svg",
    "/campaigns/first/figures/best-by-cost.svg",
    "/campaigns/first/figures/islands.svg",
    "/campaigns/first/figures/ancestry.svg",
    "/campaigns/first/figures/curves.svg",
)


def text_of(response):
    """What a reader sees of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_there_and_its_figures_and_links_too(small, path):
    page = small.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    links = {unescape(link) for link in re.findall(r'(?:href|src|data-poll)="(/[^"]+)"', page.text)}
    beyond_the_last = "/campaigns/first/candidates/13"
    assert {link: small.get(link).status_code for link in links - {beyond_the_last}} == dict.fromkeys(
        links - {beyond_the_last}, 200
    )


@pytest.mark.parametrize("path", FIGURES)
def test_a_figure_is_an_svg_that_may_do_nothing(small, path):
    figure = small.get(path)
    assert (figure.status_code, figure.headers["content-type"]) == (200, "image/svg+xml")
    assert figure.text.startswith("<svg")
    assert "script" not in figure.text
    assert figure.headers["content-security-policy"].startswith("default-src 'none'")
    assert "sandbox" in figure.headers["content-security-policy"]


def test_a_figure_is_kept_for_ever_under_the_name_of_its_numbers_only(small):
    (source,) = re.findall(
        r'src="(/campaigns/first/figures/best-by-cpu[^"]+)"', small.get("/campaigns/first").text
    )
    assert "immutable" in small.get(source).headers["cache-control"]
    assert small.get(source.rpartition("=")[0] + "=older").headers["cache-control"] == "no-cache"


def test_campaigns_are_listed_with_their_best(small):
    shown = text_of(small.get("/"))
    assert "first finished cfr 13 train 2.5714" in shown
    assert "second finished cfr 5 train 1.4286" in shown


def test_a_campaign_shows_whom_improvements_came_from(small):
    shown = text_of(small.get("/campaigns/first"))
    assert "best train 2.5714 ± 0.16 #11" in shown
    assert "best baseline 1.5000 ± 0.094 plain" in shown
    assert "rejected 1 8% no class" in shown
    assert re.search(r"symbolic 3 3 \(100%\) 3 \+0\.4286 27%", shown)
    assert re.search(r"gemini:flash 1 1 \(100%\) 1 \+0\.1429 9%", shown)
    assert "1 held-out evaluation:" in shown
    assert 'resumed {"by": "test"}' in shown


def test_a_program_beside_baseline_and_parent_with_all_that_led_to_it(small):
    shown = text_of(small.get("/campaigns/first/candidates/2"))
    assert re.search(r"plain baseline 1\.5000 .* this program 1\.2857 .* parent 1\.1429", shown)
    assert "- weight = 1" in shown
    assert "+ weight = 2" in shown
    assert "You improve programs." in shown
    assert "an answer" in shown
    assert "What it printed printed 2" in shown
    assert "Made from it (2): 3 , second:3 ." in shown


def test_a_candidate_that_never_became_a_program_has_a_page(small):
    shown = text_of(small.get("/campaigns/first/candidates/12"))
    assert "Candidate 12 rejected" in shown
    assert "no class" in shown


def test_lineage_goes_from_the_first_program_to_the_best(small):
    shown = re.findall(r"Candidate (\d+) (\d\.\d{4})", text_of(small.get("/campaigns/first/lineage")))
    assert [int(ordinal) for ordinal, _ in shown] == list(range(12))
    assert shown[-1][1] == "2.5714"


def test_programs_are_compared_line_by_line_and_game_by_game(small):
    shown = text_of(small.get("/compare?a=first:1&b=first:3"))
    assert re.search(r"leduc2 ↓ = 7\.69e.02 ★ 6\.67e.02 .0\.0621", shown)
    assert "Lines: 1 added, 1 removed." in shown


def test_campaigns_are_compared(small):
    shown = text_of(small.get("/compare/campaigns?name=second&name=first"))
    assert re.search(
        r"second finished train 1\.4286 3 5 4 3 .* first finished train 2\.5714 11 13 12 11", shown
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/campaigns/firts", "Did you mean 'first'?"),
        ("/campaigns/first/candidates/99", "no candidate 99"),
        ("/programs/plian", "Did you mean 'plain'?"),
        ("/campaigns/first/figures/best-by-cup.svg", "Did you mean 'best-by-cpu'"),
        ("/campaigns/first/programs?sort=scroe", "Did you mean 'score'?"),
        ("/campaigns/first/programs?page=x", "Expected a number as page"),
        ("/compare?a=first:best&b=nothing", "nothing fits 'nothing'"),
        ("/compare/campaigns?name=frist", "Did you mean 'first'?"),
        ("/elsewhere", "There is no such page."),
    ],
)
def test_what_there_is_not_is_a_404_that_names_the_nearest(small, path, said):
    answer = small.get(path)
    assert answer.status_code == 404
    assert said in text_of(answer)


def ordinals(page):
    return [int(ordinal) for ordinal in re.findall(r'id="row-(\d+)"', page.text)]


def test_the_table_is_sorted_and_filtered(small):
    table_of = "/campaigns/first/programs"
    assert ordinals(small.get(table_of)) == list(range(12, -1, -1))
    assert ordinals(small.get(f"{table_of}?sort=candidate")) == list(range(13))
    assert ordinals(small.get(f"{table_of}?sort=-score"))[:3] == [11, 10, 9]
    assert ordinals(small.get(f"{table_of}?sort=score"))[-1] == 12
    assert ordinals(small.get(f"{table_of}?outcome=rejected")) == [12]
    assert ordinals(small.get(f"{table_of}?operator=crossover&sort=candidate")) == [2, 5, 8, 11]
    assert ordinals(small.get(f"{table_of}?island=1&sort=candidate")) == [1, 4, 7, 10]
    nothing = small.get(f"{table_of}?outcome=ok&operator=none")
    assert ordinals(nothing) == []
    assert "0 candidates" in text_of(nothing)


def test_a_header_says_how_it_is_sorted_and_turns_it_round(small):
    page = small.get("/campaigns/first/programs?sort=-score&outcome=ok").text
    assert page.count("aria-sort=") == 1
    assert re.search(
        r'aria-sort="descending"><a id="sort-score" href="[^"]*\?sort=score&amp;outcome=ok"', page
    )
    assert re.search(r'<a id="sort-cpu" href="[^"]*\?sort=-cpu&amp;outcome=ok"', page)


def test_a_large_table_comes_in_pages(large):
    path = "/campaigns/large/programs?sort=candidate"
    assert ordinals(large.get(f"{path}&page=3")) == list(range(200, 300))
    last = large.get(f"{path}&page=100000")
    assert ordinals(last) == list(range(9900, 10000))
    assert "10,000 candidates, page 100 of 100" in text_of(last)
    best = large.get("/campaigns/large/programs?sort=-score").text
    shown = [float(value) for value in re.findall(r'<td class="num">(\d\.\d{4})</td>', best)]
    assert len(shown) == 100
    assert shown == sorted(shown, reverse=True)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/campaigns/large",
        "/campaigns/large/programs?sort=-score&page=50",
        "/campaigns/large/candidates/4000",
        "/campaigns/large/lineage",
        "/changes?campaign=large",
    ],
)
def test_a_page_takes_few_statements_however_large_the_campaign_is(large, path, statements):
    assert large.get(path).status_code == 200
    assert 0 < len(statements) <= 45


@pytest.fixture
def statements():
    """What is sent to any database."""
    from sqlalchemy import Engine

    sent = []

    def listen(connection, cursor, statement, *_):
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    yield sent
    event.remove(Engine, "before_cursor_execute", listen)


def test_a_file_has_all_rows_and_no_formulas(small, hostile, attack):
    file = small.get("/campaigns/first/programs.csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''first.csv"
    lines = file.text.splitlines()
    assert lines[0].startswith(
        "ordinal,program_id,operator,island,outcome,note,message,created_at,score,stderr,cpu_s"
    )
    assert [line.split(",")[0] for line in lines[1:]] == [str(k) for k in range(13)]
    assert len(small.get("/campaigns/first/programs.csv?outcome=rejected").text.splitlines()) == 2
    name = re.search(r'href="(/campaigns/[^"]+)"', hostile.get("/").text)[1]
    assert ",'=cmd|' /C calc'!A0," in hostile.get(f"{name}/programs.csv").text


def test_a_large_file_is_read_in_pieces(large, statements):
    assert len(large.get("/campaigns/large/programs.csv").text.splitlines()) == 10_001
    assert len([s for s in statements if "LIMIT" in s]) == 10_000 // table.CSV_ROWS + 1


def test_an_empty_database_says_what_to_do_and_fills_itself(viewing, making, tmp_path):
    path = tmp_path / "evolve.db"
    path.touch()
    with viewing(path) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "evolve run --db" in text_of(page)
        before = client.get("/changes").json()
        making.small(path)
        assert client.get("/changes").json() != before
        assert "first finished" in text_of(client.get("/"))


def test_a_database_without_campaigns_says_what_to_do(viewing, tmp_path):
    open_store(tmp_path / "evolve.db").close()
    with viewing(tmp_path / "evolve.db") as client:
        assert "No campaign has been started" in text_of(client.get("/"))


def test_a_database_that_was_begun_anew_is_read_anew(viewing, making, tmp_path):
    path = tmp_path / "evolve.db"
    making.small(path, "old")
    with viewing(path) as client:
        assert "old" in text_of(client.get("/"))
        for file in tmp_path.iterdir():
            file.unlink()
        gone = client.get("/")
        assert gone.status_code == 503
        assert "There is no database at" in text_of(gone)
        making.small(path, "new")
        assert "new finished" in text_of(client.get("/"))


def test_a_missing_database_is_refused(viewing, tmp_path):
    with pytest.raises(DatabaseError, match="There is no database"):
        viewing(tmp_path / "evolve.db")


def test_the_state_differs_when_a_campaign_changes_and_only_then(viewing, making, make, tmp_path):
    path = tmp_path / "evolve.db"
    making.small(path)

    def states():
        return [client.get(f"/changes{query}").json()["state"] for query in ("", "?campaign=first")]

    with viewing(path) as client, open_store(path) as store:
        seen = [states()]
        assert states() == seen[0]
        with store.continue_campaign("first") as writer:
            for change in (
                lambda: writer.record_candidate(make.candidate(20, outcome=None)),
                lambda: writer.record_candidate(make.candidate(20, outcome="rejected")),
                lambda: writer.tell(20),
                lambda: writer.add_event("resumed", {}),
                lambda: making.call(writer, 20),
                lambda: writer.set_status("running"),
            ):
                change()
                assert all(new != old for new, old in zip(states(), seen[-1], strict=True))
                seen.append(states())


def test_nothing_is_written_and_no_writer_waits(viewing, making, make, tmp_path):
    path = tmp_path / "evolve.db"
    making.small(path)
    with viewing(path) as client, open_store(path) as store, store.continue_campaign("first") as writer:
        with writer.transaction():
            make.record(writer, 20)
            assert "13" in text_of(client.get("/"))
            assert client.get("/campaigns/first/candidates/20").status_code == 404
        assert client.get("/campaigns/first/candidates/20").status_code == 200
        with client.stream("GET", "/campaigns/first/programs.csv") as answer:
            next(answer.iter_raw())
            make.record(writer, 21)


def test_a_postgresql_database_is_shown_without_its_password(viewing, make, postgres_database):
    with open_store(postgres_database, clock=make.clock()) as store:
        with store.begin_campaign(make.spec("served")) as writer:
            make.record(writer, 0)
            make.record(writer, 1, outcome="ok")
        where = postgres_database.replace("postgres@", "postgres:secret@")
        with viewing(where) as client:
            for path in (
                "/",
                "/campaigns/served",
                "/campaigns/served/programs?sort=-score",
                "/programs/served:best",
            ):
                page = client.get(path)
                assert page.status_code == 200
                assert "served" in page.text
                assert "secret" not in page.text


def test_a_sort_that_is_none_is_our_error_and_not_the_databases():
    with pytest.raises(UnknownNameError, match="no column 'ordinal; drop'"):
        table.parse({"sort": "ordinal; drop"})


def test_programs_that_are_measured_by_different_metrics_are_not_compared(viewing, make, tmp_path):
    other = replace(make.spec().metric, name="sum", label="sum of radii", direction="max", scale="linear")
    with open_store(tmp_path / "evolve.db", clock=make.clock()) as store:
        for name, metric in (("first", make.spec().metric), ("other", other)):
            with store.begin_campaign(make.spec(name, metric=metric)) as writer:
                make.record(writer, len(name))
    with viewing(tmp_path / "evolve.db") as client:
        answer = client.get("/compare?a=first:best&b=other:best")
    assert answer.status_code == 404
    assert "exploitability (NashConv / N) and sum of radii" in text_of(answer)


WORDS_OF_GAMES = re.compile(
    r"game|exploitab|nashconv|decade|uniform policy|iteration|kuhn|sealed|looks", re.IGNORECASE
)


def test_no_page_has_words_that_the_metric_does_not_bring(viewing, make, tmp_path):
    """The words for a task and its budget are the campaign's, on every page and in every figure."""
    metric = Metric("radii", "sum of radii", "max", "linear", 0.001, task="packing", budget="move")
    task = Task("circles26", "circles26", "plain", 500)
    with open_store(tmp_path / "evolve.db", clock=make.clock()) as store:
        spec = make.spec("up", metric=metric, domain="packing", objective="score", config={"candidates": 3})
        with store.begin_campaign(spec) as writer:
            for ordinal, value in ((0, 2.0), (1, 2.5), (None, 2.25)):
                name = "greedy" if ordinal is None else ""
                key = writer.add_program(make.source(ordinal or 9), tree_hash=str(ordinal), name=name)
                if ordinal is not None:
                    writer.record_candidate(make.candidate(ordinal, key))
                result = TaskResult(task, value, stderr=0.125, curve=((100, 1.0), (500, value)))
                scores = {"score": Score(value, 0.125, 4)}
                own = make.evaluation(ordinal, key, plan="train", results=(result,), scores={}, log="")
                evaluation = replace(own.evaluation, scores=scores, stages={})
                writer.record_evaluation(evaluation, program_id=key, ordinal=ordinal, plan="train")
                unseen = {"stderr": 0.125, "score": value, "isolation": "kernel", "purpose": "promotion"}
                writer.record_held_out(
                    HeldOutEvaluation(
                        program_id=key, task=task, outcome=Outcome(Tag.OK), value=value, **unseen
                    )
                )
    with viewing(tmp_path / "evolve.db") as client:
        pages = ("", "/programs", "/candidates/1", "/lineage")
        kinds = ("best-by-candidate", "best-by-cpu", "curves", "ancestry", "advantages")
        shown = [client.get(f"/campaigns/up{part}") for part in pages]
        shown += [client.get(f"/campaigns/up/figures/{kind}.svg") for kind in kinds]
        shown += [client.get(path) for path in ("/", "/compare?a=up:0&b=up:1", "/compare/campaigns?name=up")]
    assert [answer.status_code for answer in shown] == [200] * len(shown)
    assert [WORDS_OF_GAMES.findall(text_of(answer)) for answer in shown] == [[]] * len(shown)
    campaign = text_of(shown[0])
    assert "sum of radii after 500 moves on each packing (larger is better)" in campaign
    assert re.search(
        r"best candidate 2\.5000 ± 0\.12 ★ 2\.500 ± 0\.12 \S+ \(\S+\) greedy baseline .* = 2\.250 ± 0\.12",
        campaign,
    )
    assert "On 1 held-out packing of 1 family, #1 is" in campaign
    assert re.search(r"0\.25\S* (± \S+ )?in sum of radii", campaign)
