"""`evolve doctor` and sandboxes: the attack table, and kinds that do not exist."""

import json

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


def test_an_unknown_kind_of_sandbox_is_one_line(invoke):
    result = invoke("doctor", "--sandbox", "vm")
    assert result.exit_code == 2
    assert result.stderr == "evolve: sandbox: expected process, docker or gvisor; got 'vm'.\n"
