"""`evolve doctor --attack` and `evolve bench sandbox`: what they print. No time is asserted."""

import json

from benchmarks import sandbox
from sandbox import selfcheck
from sandbox.attacks import ATTACKS, OK


def test_doctor_prints_the_attack_table(monkeypatch, invoke):
    some = [a for a in ATTACKS if a.name in {"object array", "read a secret file"}]
    wrong = some[0]._replace(name="promised too much", expected=OK, message="something else")
    monkeypatch.setattr(selfcheck, "ATTACKS", (*some, wrong))
    result = invoke("doctor", "--attack", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    rows = {row["name"]: (row["expected"], row["ok"]) for row in found["attacks"]}
    assert rows["object array"] == ("bad_result", True)
    assert rows["promised too much"] == ("ok", False)
    assert rows["canary: TCP listener"] == ("0 hits", True)
    assert found["ok"] is False
    monkeypatch.setattr(selfcheck, "ATTACKS", tuple(some))
    result = invoke("doctor", "--attack")
    assert result.exit_code == 0
    assert "as expected" in result.stdout


def test_bench_sandbox_prints_what_it_costs(monkeypatch, invoke):
    quick = sandbox.measure
    monkeypatch.setattr(sandbox, "measure", lambda kind: quick(kind, calls=20, sessions=2, starts=1))
    found = json.loads(invoke("bench", "sandbox", "--json").stdout)
    assert set(found["call_us"]) == {"33", "2000", "50000"}
    names = ("callback_us", "session_ms", "start_ms")
    assert all(value > 0 for value in [*found["call_us"].values(), *(found[name] for name in names)])
    assert found["private_mib"] is None or 0 < found["private_mib"] < 20
    printed = invoke("bench", "sandbox").stdout
    assert "callback with 200 floats there and back" in printed
    assert "isolation" in printed


def test_an_unknown_kind_of_sandbox_is_one_line(invoke):
    for command in (("doctor", "--sandbox", "vm"), ("bench", "sandbox", "--sandbox", "vm")):
        result = invoke(*command)
        assert result.exit_code == 2
        assert result.stderr == "evolve: sandbox: expected process, docker or gvisor; got 'vm'.\n"
