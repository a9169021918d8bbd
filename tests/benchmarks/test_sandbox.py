"""`python -m benchmarks sandbox`: what it prints. No time is asserted."""

import json

from benchmarks import sandbox


def test_costs(monkeypatch, invoke):
    quick = sandbox.measure
    monkeypatch.setattr(sandbox, "measure", lambda kind: quick(kind, calls=20, sessions=2, starts=1))
    costs = json.loads(invoke("sandbox", "--json").stdout)
    assert set(costs["call_us"]) == {"33", "2000", "50000"}
    names = ("callback_us", "session_ms", "start_ms")
    assert all(value > 0 for value in [*costs["call_us"].values(), *(costs[name] for name in names)])
    assert costs["private_mib"] is None or 0 < costs["private_mib"] < 20
    printed = invoke("sandbox").stdout
    assert "callback with 200 floats there and back" in printed
    assert "isolation" in printed
