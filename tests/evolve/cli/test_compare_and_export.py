"""`evolve results diff`, `lineage` and `export`."""

import ast
import csv
import io
import json

import pytest

import seeds

NAME = "cfr-symbolic-s0"


@pytest.fixture
def candidates(finished):
    """Candidates as they are known in the end: leaders were measured on further blocks."""
    known = {}
    for event in finished[1]:
        if event["event"] in ("candidate", "refined"):
            known[event["ordinal"]] = event
    return [known[ordinal] for ordinal in sorted(known)]


class TestDiff:
    def test_against_the_first_parent(self, ask, finished, candidates):
        child = next(c for c in candidates if c["operator"] == "symbolic")
        found = ask("results", "diff", child["program"][:8], "--db", finished[0])
        assert found["to"]["id"] == child["program"]
        assert found["from"]["id"] in {c["program"] for c in candidates}
        assert found["diff"].startswith("--- ")
        added = [line[1:] for line in found["diff"].splitlines()[2:] if line.startswith("+")]
        source = ask("results", "show", child["program"], "--db", finished[0])["program"]["source"]
        assert added
        assert set(added) <= set(source.splitlines())

    def test_any_two(self, invoke):
        result = invoke("results", "diff", "cfr_plus", "cfr")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.splitlines()[0].startswith("--- cfr (")
        assert result.stdout.splitlines()[1].startswith("+++ cfr_plus (")
        assert "+        return np.maximum(" in result.stdout

    def test_a_program_and_itself(self, invoke):
        assert "are the same" in invoke("results", "diff", "cfr", "cfr").stdout

    def test_the_seed_has_no_parent(self, invoke, finished):
        result = invoke("results", "diff", f"{NAME}:0", "--db", finished[0])
        assert result.exit_code == 2
        assert f"evolve results diff {NAME}:0 OTHER" in result.stderr

    def test_an_unknown_id_names_the_nearest(self, invoke, finished, candidates):
        known = candidates[0]["program"]
        wrong = known[:7] + ("0" if known[7] != "0" else "1")
        result = invoke("results", "diff", wrong, "--db", finished[0])
        assert result.exit_code == 2
        assert f"Did you mean {known[:10]!r}" in result.stderr


class TestLineage:
    def test_goes_from_the_seed_to_the_program(self, ask, finished, candidates):
        child = candidates[-1]
        found = ask("results", "lineage", f"{NAME}:{child['ordinal']}", "--db", finished[0])
        steps = found["steps"]
        assert (found["campaign"], found["objective"]) == (NAME, "advantage")
        assert (steps[0]["ordinal"], steps[0]["name"], steps[0]["diff"]) == (0, "cfr_plus", "")
        assert steps[-1]["program_id"] == child["program"]
        assert steps[-1]["note"] == child["note"]
        assert [s["score"] for s in steps] == [
            candidates[s["ordinal"]]["scores"]["advantage"]["mean"] for s in steps
        ]
        assert all(s["diff"].startswith("--- candidate ") for s in steps[1:])

    def test_is_a_tree(self, invoke, finished):
        result = invoke("results", "lineage", f"{NAME}:best", "--diff", "--db", finished[0])
        assert result.exit_code == 0, result.stderr
        assert "candidate 0 by cfr_plus" in result.stdout
        assert finished[1][-1]["best"]["program"][:10] in result.stdout

    def test_a_baseline_has_none(self, invoke, finished):
        result = invoke("results", "lineage", "dcfr", "--db", finished[0])
        assert result.exit_code == 2
        assert "evaluated for comparison" in result.stderr


class TestExport:
    def test_a_program_is_a_python_file(self, invoke, finished, here):
        result = invoke("results", "export", f"{NAME}:1", "--output", "found.py", "--db", finished[0])
        assert (result.exit_code, result.stdout) == (0, "")
        text = (here / "found.py").read_text()
        assert "python found.py" in text
        names = {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
        assert {"RegretAccumulator", "InfoStates", "Solver"} <= names

    def test_a_seed_goes_to_standard_output(self, invoke):
        text = invoke("results", "export", "dcfr").stdout
        assert seeds.source("cfr", "dcfr").strip() in text

    def test_a_program_of_another_domain_is_a_file_of_its_own_kind(self, invoke):
        result = invoke("results", "export", "shor_psro")
        assert result.exit_code == 0, result.stderr
        assert seeds.source("psro", "shor_psro").strip() in result.stdout
        assert "def meta_strategy_method(" in result.stdout

    def test_a_campaign_is_a_table(self, invoke, finished, candidates):
        result = invoke("results", "export", NAME, "--db", finished[0])
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert [row["program"] for row in rows] == [c["program"] for c in candidates]
        for row, c in zip(rows, candidates, strict=True):
            assert row["outcome"] == c["outcome"]["tag"]
            assert row["advantage"] == repr(c["scores"]["advantage"]["mean"])
            assert row["advantage stderr"] == repr(c["scores"]["advantage"]["stderr"])
        assert "log_area stderr" not in rows[0]

    def test_a_campaign_as_json(self, ask, finished, candidates):
        found = ask("results", "export", NAME, "--format", "json", "--db", finished[0])
        assert found["campaign"] == NAME
        assert [c["scores"] for c in found["candidates"]] == [c["scores"] for c in candidates]
        assert [c["outcome"] for c in found["candidates"]] == [c["outcome"] for c in candidates]

    def test_curves_of_a_program(self, invoke, ask, finished):
        rows = list(
            csv.DictReader(
                io.StringIO(invoke("results", "export", f"{NAME}:0", "-f", "csv", "--db", finished[0]).stdout)
            )
        )
        shown = ask("results", "show", f"{NAME}:0", "--db", finished[0])
        points = [p for e in shown["evaluations"] for t in e["tasks"] for p in t["curve"]]
        assert [[int(r["budget"]), float(r["value"])] for r in rows] == points
        assert {r["family"] for r in rows} == {"kuhn"}
        assert ask("results", "export", f"{NAME}:0", "-f", "json", "--db", finished[0]) == shown

    def test_json_wraps_what_is_none(self, ask, finished, here):
        found = ask("results", "export", NAME, "--format", "csv", "--db", finished[0])
        assert found["format"] == "csv"
        assert found["content"].startswith("ordinal,program,")
        found = ask("results", "export", "cfr", "-o", "x.py")
        assert found == {"schema_version": 2, "format": "py", "file": "x.py"}
        assert (here / "x.py").exists()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((NAME, "--format", "py"), "expected csv, json or calls for the campaign"),
            ((NAME, "--format", "calls"), "asked no model"),
            (("cfr", "--format", "calls"), "--format calls is for a campaign"),
            (("cfr-symbolic-s1",), "Did you mean 'cfr-symbolic-s0'?"),
            (("cfr", "--output", "none/x.py"), "No such file or directory"),
        ],
    )
    def test_what_a_person_gets_wrong(self, invoke, finished, arguments, said):
        result = invoke("results", "export", *arguments, "--db", finished[0])
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr

    def test_numbers_are_exact(self, ask, finished, candidates):
        found = ask("results", "export", NAME, "--db", finished[0])
        assert json.loads(json.dumps(found)) == found
