"""``evolve run`` with a model, in processes of its own, against real HTTP servers on loopback."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.loopback import LoopbackServer, Reply
from evolve.cli.app import app

pytestmark = pytest.mark.slow

KEY = "sk-live-very-secret-987"
QUICK = ("--games", "kuhn2", "--iterations", 20, "--workers", 1)
W = "        weight = iteration_number + 1"
MODELS = Path(__file__).parents[2] / "docs" / "models.md"


def well(text, number):
    """A working change, another one for each request; what the prompt shows decides nothing."""
    (line,) = re.findall(
        r"^        weight = .*$", text.split("# The parent, which you change")[1], re.MULTILINE
    )
    new = f"        weight = (iteration_number + 1) ** {1 + sum(map(ord, text[-200:])) % 97 / 50 + number / 1e4:.4f}"
    return Reply(f"Idea: another power\n<<<<<<< SEARCH\n{line}\n=======\n{new}\n>>>>>>> REPLACE\n")


@pytest.fixture
def environment():
    return lambda server: {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": KEY}


@pytest.fixture
def db(tmp_path):
    return tmp_path / "evolve.db"


def run_arguments(db, *more):
    return ("run", "--operator", "llm", "--model", "openai:m", *QUICK, "--db", db, *more)


@pytest.fixture
def invoke(cache_dir, monkeypatch):
    """Runs the command line in this process, which spares loading everything again: (exit code, output, errors)."""
    for name in ("EVOLVE_DB", "OPENAI_API_KEY", "OPENAI_BASE_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, env=None):
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        came = CliRunner().invoke(app, list(map(str, arguments)))
        assert isinstance(came.exception, SystemExit | None), came.exception
        return came.exit_code, came.stdout, came.stderr

    return run


@pytest.fixture
def calls(invoke, json_lines):
    def read(db, name="cfr-llm-s0"):
        code, out, err = invoke("results", "calls", name, "--db", db, "--json")
        assert code == 0, err
        return json_lines(out)[0]["calls"]

    return read


@pytest.fixture
def priced(tmp_path):
    """A configuration in which the model costs something."""
    path = tmp_path / "priced.toml"
    path.write_text('[llm]\nmax_output_tokens = 1000\n[llm.prices."openai:m"]\ninput = 1.0\noutput = 10.0\n')
    return path


def test_a_search_from_start_to_end(
    evolve_run, invoke, environment, calls, db, json_lines, contents, tmp_path
):
    with LoopbackServer(well) as server:
        code, out, err = evolve_run(*run_arguments(db, "--candidates", 6, "--json"), env=environment(server))
    assert code == 0, err
    events = json_lines(out)
    assert [e["event"] for e in events].count("call") == len(server.received) >= 4
    assert events[-1]["candidates"] == 6
    assert events[-1]["outcomes"].get("ok", 0) >= 4
    stored = calls(db)
    assert {c["state"] for c in stored} == {"answered"}
    assert all(r.headers["authorization"] == f"Bearer {KEY}" for r in server.received)
    assert {c["answered_by"] for c in stored} == {"m"}

    # The key is in no file, no output and no prompt.
    for path in db.parent.glob("evolve.db*"):
        assert KEY.encode() not in path.read_bytes()
    assert KEY not in out + err + json.dumps([r.body for r in server.received])

    # The campaign replays offline from its calls, on another number of workers.
    recorded = tmp_path / "calls.jsonl"
    code, _, err = evolve_run(
        "results", "export", "cfr-llm-s0", "--format", "calls", "--output", recorded, "--db", db
    )
    assert code == 0, err
    head, *rest = map(json.loads, recorded.read_text().splitlines())
    assert (head["recording"], head["campaign"], head["calls"]) == (1, "cfr-llm-s0", len(rest))
    assert len(rest) == len(stored)
    assert server.url not in recorded.read_text()
    again = tmp_path / "again.db"
    code, _, err = evolve_run(
        "run", "--operator", "llm", "--model", f"replay:{recorded}", *QUICK, "--workers", 2, "--candidates", 6,
        "--db", again,
    )  # fmt: skip
    assert code == 0, err
    assert "differs" not in err
    assert contents(again, "cfr-llm-s0") == contents(db, "cfr-llm-s0")

    code, out, err = invoke("results", "calls", "cfr-llm-s0:1", "--db", db)
    assert code == 0, err
    assert "[system]\nYou are a researcher" in out
    assert "<<<<<<< SEARCH" in out.split("[answer 0, openai:m")[1]
    code, out, err = invoke("results", "calls", "cfr-llm-s0", "--db", db)
    assert f"{len(stored)} calls" in out


def test_killed_with_calls_in_flight(evolve_command, evolve_run, environment, calls, db):
    def slowly(text, number):
        return Reply(well(text, number).text, delay_s=0.0 if number < 3 else 0.6)

    with LoopbackServer(slowly) as server:
        process = evolve_command(*run_arguments(db, "--candidates", 8, "--json"), env=environment(server))
        answers = 0
        while answers < 2:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            answers += json.loads(line)["event"] == "call"
        while len(server.received) < 5:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = calls(db)
        answered = {(c["ordinal"], c["attempt"]) for c in before if c["state"] == "answered"}
        in_flight = {(c["ordinal"], c["attempt"]) for c in before if c["state"] == "sent"}
        assert answered
        assert in_flight
        code, _, err = evolve_run(*run_arguments(db, "--candidates", 8), env=environment(server))
    assert code == 0, err
    after = calls(db)
    assert len([c for c in after if c["state"] == "answered"]) == len(
        {(c["ordinal"], c["attempt"]) for c in after}
    )
    assert {(c["ordinal"], c["attempt"]) for c in after if c["state"] == "lost"} == in_flight
    # A call is booked before it is sent: the kill may come in between.
    assert len(after) - len(in_flight) <= len(server.received) <= len(after)


def test_a_rejected_key_is_one_line_and_not_tried_again(evolve_run, environment, db):
    with LoopbackServer(
        lambda text, number: Reply(f"Incorrect API key provided: {KEY}", status=401)
    ) as server:
        code, out, err = evolve_run(*run_arguments(db, "--json"), env=environment(server))
    assert code == 2
    assert [line for line in err.splitlines() if line.startswith("evolve:")] == err.splitlines()[-1:]
    assert "the key in OPENAI_API_KEY was rejected" in err
    assert "Traceback" not in err
    assert KEY not in out + err
    assert len(server.received) <= 8  # one for each candidate in flight
    assert all(KEY.encode() not in path.read_bytes() for path in db.parent.glob("evolve.db*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--operator", "llm"), "expected a model; none is named"),
        (("--operator", "llm", "--model", "gpt-4o"), "expected one of openai:NAME"),
        (
            ("--operator", "llm", "--model", "openai:gpt-4o"),
            "expected a key in the environment variable OPENAI_API_KEY",
        ),
        (("--operator", "llm", "--model", "gemini:gemini-2.5-pro"), "GEMINI_API_KEY; it is not set"),
        (
            ("--operator", "llm", "--model", "openai:nobody-s-own"),
            "nobody knows that of 'openai:nobody-s-own'",
        ),
        (("--operator", "llm", "--model", "replay:none.json"), "expected a file at none.json"),
        (("--model", "openai:gpt-4o"), "Add --operator llm"),
        (("--dry-run",), "Add --operator llm --model NAME"),
    ],
)
def test_mistakes_are_one_line(invoke, db, arguments, said):
    code, _, err = invoke("run", *arguments, *QUICK, "--db", db)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1
    assert not db.exists()


def test_a_server_that_stays_away_is_exit_1(invoke, environment, db):
    gone = Reply("", status=429, headers={"retry-after": "9999"})
    with LoopbackServer(lambda text, number: gone) as server:
        code, _, err = invoke(*run_arguments(db), env=environment(server))
    assert code == 1
    assert "did not answer" in err
    assert "same command continues" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("option", [("--budget-usd", 0.05), ("--budget-tokens", 9000)])
def test_a_budget_is_exit_3(invoke, environment, calls, db, priced, option):
    with LoopbackServer(well) as server:
        code, _, err = invoke("run", priced, *run_arguments(db, *option)[1:], env=environment(server))
        assert code == 3, err
        paid = calls(db)
        assert 0 < sum(c["cost_usd"] for c in paid) <= 0.05 or option[0] == "--budget-tokens"
        assert (
            sum(c["input_tokens"] + c["output_tokens"] for c in paid) <= 9000 or option[0] == "--budget-usd"
        )
        assert "is reached" in err
        assert "higher budget continues" in err


def test_a_dry_run_asks_nothing(invoke, environment, db, priced):
    with LoopbackServer(well) as server:
        arguments = ("run", priced, *run_arguments(db, "--dry-run")[1:])
        code, out, err = invoke(*arguments, env=environment(server))
        assert code == 0, err
        assert out.startswith("[system]\nYou are a researcher")
        assert "class RegretAccumulator" in out.split("[user]")[1]
        assert re.search(r"about \d+ tokens in, at most 1000 out; this call costs at most \$0\.01", err)
        assert server.received == []
        assert not db.exists()
        # It is the first prompt of the real campaign, word for word.
        code, _, err = invoke(
            "run", priced, *run_arguments(db, "--candidates", 2)[1:], env=environment(server)
        )
        assert code == 0, err
    asked = server.received[0].body["messages"]
    assert out == "".join(f"[{m['role']}]\n{m['content']}\n" for m in asked)


PRICES = {"openai:good": (1.0, 10.0), "openai:bad": (0.9, 9.0)}
TWO = """
operator = "llm"
model = ["openai:good", "openai:bad"]
crossover = 0.5
lookahead = 2
population.islands = 1
objective = "decades"
tiers = ["exact", "generic"]
refinements = 0
race = false
[llm]
crossover = "model"
max_output_tokens = 1000
repairs = 1
""" + "".join(f'[llm.prices."{n}"]\ninput = {i}\noutput = {o}\n' for n, (i, o) in PRICES.items())


def test_two_models_share_a_campaign(invoke, environment, calls, db, tmp_path, json_lines, monkeypatch):
    (tmp_path / "two.toml").write_text(TWO)
    arguments = ("run", tmp_path / "two.toml", *QUICK, "--candidates", 9, "--db", db)

    def answer(text, number):
        if server.received[number].body["model"] == "bad":
            return Reply("I do not know.")
        # Other powers give other scores, so that there is more than one parent to choose.
        return Reply(re.sub(r"\*\* [\d.]+(?=\n>>>)", f"** {3 * number}", well(text, number).text))

    with LoopbackServer(answer) as server:
        code, out, err = invoke(*arguments, env=environment(server))
    assert code == 0, err
    assert {r.body["model"] for r in server.received} == {"good", "bad"}
    assert all(word in out for word in ("openai:good", "openai:bad", "cost per improvement"))
    merges = [r for r in server.received if "Merge the two." in r.body["messages"][1]["content"]]
    assert merges
    stored = calls(db)
    for call in stored:
        usd_in, usd_out = PRICES[call["model"]]
        usd = (call["input_tokens"] * usd_in + call["output_tokens"] * usd_out) / 1e6
        assert call["cost_usd"] == pytest.approx(usd)

    # Again without a key and a server: nothing is left to ask, and what there is to see is shown.
    for name in environment(server):
        monkeypatch.delenv(name)
    code, again, err = invoke(*arguments)
    assert code == 0, err
    assert "openai:good" in again
    code, again, err = invoke(*arguments, "--json")
    assert code == 0, err
    models = json_lines(again)[-1]["models"]
    counts = {name: sum(call["model"] == name for call in stored) for name in PRICES}
    assert {m["model"]: m["calls"] for m in models} == counts
    bad = models[1]
    assert (bad["valid"], bad["improved"], bad["usd_per_improvement"]) == (0, 0, None)
    assert (
        json_lines(invoke("results", "calls", "cfr-llm-s0", "--db", db, "--json")[1])[0]["models"] == models
    )
    assert "cost per improvement" in invoke("results", "calls", "cfr-llm-s0", "--db", db)[1]

    # One candidate more needs the key, which is said before anything happens.
    code, _, err = invoke(*arguments[:-4], "--candidates", 10, "--db", db)
    assert code == 2
    assert err.splitlines() == [
        "evolve: openai:good: expected a key in the environment variable OPENAI_API_KEY; it is not set. A local server "
        "needs none: set OPENAI_BASE_URL or llm.base_url."
    ]


def test_every_key_is_looked_for_before_the_first_call(invoke, environment, db):
    with LoopbackServer(well) as server:
        more = ("--model", "gemini:gemini-2.5-flash")
        code, _, err = invoke(*run_arguments(db, *more), env=environment(server))
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "GEMINI_API_KEY; it is not set" in err
    assert server.received == []
    assert not db.exists()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("ready"), "m answered in"),
        (
            Reply(f"Incorrect API key provided: {KEY}", status=401),
            "openai:m: the key in OPENAI_API_KEY was rejected: Incorrect API key provided: [key]",
        ),
        (Reply("busy", status=503), "HTTP 503: busy"),
    ],
)
def test_the_doctor_asks_a_model_for_one_word(environment, monkeypatch, tmp_path, reply, said):
    from evolve import doctor

    with LoopbackServer(lambda text, number: reply) as server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        found = doctor._ask("openai:m")
        keys = doctor._keys()
    assert len(server.received) == 1
    assert said in found.detail
    assert found.ok == (reply.status == 200)
    assert KEY not in found.detail
    assert keys[0].detail == "OPENAI_API_KEY and OPENAI_BASE_URL set: can be asked"
    assert keys[1].detail == "GEMINI_API_KEY is not set: cannot be asked"


def test_the_doctor_reports_models(invoke, db, json_lines, tmp_path):
    scripted = tmp_path / "answers.json"
    scripted.write_text("[]")
    _, out, _ = invoke("doctor", "--model", f"scripted:{scripted}", "--db", db, "--json")
    checks = {c["check"]: (c["ok"], c["detail"]) for c in json_lines(out)[0]["checks"]}
    assert checks["models openai:NAME"] == (True, "OPENAI_API_KEY is not set: cannot be asked")
    assert checks[f"model scripted:{scripted}"][0]
    code, out, _ = invoke("doctor", "--model", "gpt-4o", "--db", db, "--json")
    assert code == 1
    assert "expected one of openai:NAME" in json_lines(out)[0]["checks"][-1]["detail"]


def documented_blocks():
    text = MODELS.read_text(encoding="utf-8")
    return [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "evolve run" in block]


@pytest.mark.parametrize("number", range(len(documented_blocks())))
def test_what_the_page_on_models_says(number, tmp_path, cache_dir, monkeypatch):
    script = documented_blocks()[number]
    (tmp_path / "examples").symlink_to(MODELS.parents[1] / "examples")
    done = threading.Event()

    def answer_letters():
        while not done.wait(0.05):
            for prompt in tmp_path.glob("box/*.prompt.md"):
                answer = prompt.with_name(prompt.name.replace(".prompt.", ".answer."))
                if not answer.exists():
                    answer.write_text(well(prompt.read_text(), len(list(tmp_path.glob("box/*")))).text)

    with LoopbackServer(well) as server:
        # The same commands, on one small game, and with the loopback server in the place of the world.
        script = re.sub(
            r"^(evolve run .*)$",
            r"\1 --games kuhn2 --iterations 20 --candidates 3 --workers 1",
            script,
            flags=re.M,
        )
        script = re.sub(r"http://localhost:\d+", server.url, script)
        monkeypatch.delenv("EVOLVE_DB", raising=False)
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        if "localhost" not in documented_blocks()[number]:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        if "export" not in script:  # the reader has done so before
            monkeypatch.setenv("GEMINI_API_KEY", "key")
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
        postman = threading.Thread(target=answer_letters)
        postman.start()
        try:
            came = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                check=False,
            )  # fmt: skip
        finally:
            done.set()
            postman.join()
    assert came.returncode == 0, came.stderr
    assert "3 candidates" in came.stdout
    if "mailbox" not in script and "recorded" not in script:
        assert server.received
