"""What a model wrote reaches no terminal as control characters, wherever a command prints it."""

import os
import pty
import subprocess
import sys
from dataclasses import replace

import pytest

import seeds
from evaluators.records import Candidate, Evaluation, Metric, Outcome, Score, Tag, Task, TaskResult
from results.records import CallRecord, CampaignSpec
from results.store import open_store

SEED = seeds.source("cfr", "cfr_plus")
EVIL = "\x1b]0;title\x07\x1b[31mred\x9b2J\u202egnp.exe\u2066\rgone\b"
"""A command to the terminal, a colour, an 8-bit control, two bidi controls, a carriage return, a backspace."""
INSIDE = EVIL.replace("\r", "")  # Which would end the line.
CHANGED = SEED.replace("        return np.maximum(", f'        mark = "{INSIDE}"\n        return np.maximum(')
NOTE = f"changed [bold]{EVIL}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "evolve.db"
    spec = CampaignSpec(
        name="h", domain="cfr", seed=0, objective="x", metric=Metric("x", "x", "min", "log", 0.1), plan="search",
        config={}, versions={}, machine={},
    )  # fmt: skip
    with open_store(path) as store, store.begin_campaign(spec) as writer:
        parents = ()
        for ordinal, source in enumerate((SEED, CHANGED)):
            outcome = Outcome(Tag.OK, NOTE)
            result = TaskResult(Task("kuhn2", "kuhn2"), 0.5, uniform=1.0)
            evaluation = Evaluation(
                outcome, (result,), {"x": Score(float(ordinal))}, isolation="none", log=NOTE
            )
            candidate = Candidate(
                ordinal,
                "llm",
                parents=parents,
                note=NOTE,
                outcome=outcome,
                source=source,
                evaluation=evaluation,
            )
            parents = (writer.record(candidate, "search", tree_hash=str(ordinal)).program_id,)
            writer.tell(ordinal)
        call = CallRecord(
            ordinal=1, attempt=0, model="openai:m", request_hash="0", messages=(("user", NOTE),)
        )
        answered = replace(
            call, state="answered", answer=NOTE, stop="end", answered_by="m", input_tokens=1, output_tokens=1,
            latency_s=1.0,
        )  # fmt: skip
        writer.end_call(writer.begin_call(call), answered)
        failed = CallRecord(
            ordinal=1, attempt=1, model="openai:m", request_hash="0", messages=(("user", NOTE),)
        )
        writer.end_call(writer.begin_call(failed), replace(failed, state="failed", message=NOTE))
        writer.record_candidate(Candidate(2, "llm", outcome=Outcome(Tag.REJECTED, NOTE)))
    return path


COMMANDS = [
    ("results", "show", "h:1"),
    ("results", "top", "h"),
    ("results", "diff", "h:1"),
    ("results", "lineage", "h:1", "--diff"),
    ("results", "calls", "h:1"),
    ("results", "calls", "h"),
    ("results", "show", "h:2"),
    ("run", "--from", "h:1", "--tasks", "kuhn2", "--operator", "llm", "--model", "mailbox:.", "--dry-run"),
]


def harmless(text):
    return all(c.isprintable() or c in "\n\t" for c in text)


def shows_it(text):
    return r"\x1b" in text and r"\u202e" in text


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_in_a_pipe(invoke, hostile, command):
    result = invoke(*command, "--db", hostile)
    assert harmless(result.stdout + result.stderr)
    # One cuts it off, one has no such text, and prompts are cleaned before they are sent.
    if command[1:] not in (("top", "h"), ("calls", "h")) and command[0] != "run":
        assert shows_it(result.stdout + result.stderr)


def test_the_json_has_all_of_it_in_escapes(ask, invoke, hostile):
    assert ask("results", "show", "h:1", "--db", hostile)["origins"][0]["note"] == NOTE
    assert harmless(invoke("results", "show", "h:1", "--db", hostile, "--json").stdout)


def in_a_terminal(*arguments):
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    code = "from evolve.cli.app import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunks.append(os.read(ours, 65536))
        except OSError:  # The other end is closed.
            break
        if not chunks[-1]:
            break
    os.close(ours)
    process.wait(timeout=60)
    return b"".join(chunks).decode()


@pytest.mark.parametrize(
    "command",
    [("results", "show", "h:1"), ("results", "diff", "h:1"), ("results", "export", "h:1")],
    ids=" ".join,
)
def test_on_a_terminal_there_is_our_colour_and_nothing_else(hostile, command):
    text = in_a_terminal(*command, "--db", hostile)
    assert "\x1b]" not in text
    assert not {"\x07", "\x08", "\x9b", "\u202e", "\u2066"} & set(text)
    assert "\rgone" not in text
    assert r"\x1b" in text
    # Sources and diffs are highlighted; an export is plain.
    assert ("\x1b[" in text) == (command[1] != "export")


def test_an_export_into_a_file_is_exact(invoke, hostile, here):
    assert invoke("results", "export", "h:1", "-o", "x.py", "--db", hostile).exit_code == 0
    with (here / "x.py").open(newline="") as file:
        assert "\u202egnp.exe" in file.read()


def test_what_a_program_prints(invoke, here):
    (here / "loud.py").write_text(f"print({EVIL!r})\n{SEED}")
    result = invoke("evaluate", "loud.py", "--tasks", "kuhn2", "--budget", 1)
    assert "It printed: " in result.stdout
    assert harmless(result.stdout)


def test_what_a_program_says_when_it_fails(invoke, here):
    (here / "bad.py").write_text(f"raise ValueError({EVIL!r})\n{SEED}")
    for command in (("evaluate", "bad.py", "--tasks", "kuhn2"), ("solve", "kuhn2", "--program", "bad.py")):
        result = invoke(*command)
        assert result.exit_code == 1
        assert harmless(result.stderr)
        assert "ValueError" in result.stderr
