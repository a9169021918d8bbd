"""The river benchmark: its forms agree, and it prints their times."""

import pytest

from benchmarks import river

pytestmark = pytest.mark.slow


def test_forms_agree_and_times_are_ratios(capsys):
    bench = river.measure("river60-1", repeats=1, slice_s=0.01)
    for spot in bench.spots:
        assert spot.difference < 1e-12
        assert set(spot.measured) >= {river.KERNELS, river.PLAIN}
    assert river.TREE in bench.spots[1].measured
    assert bench.to_json()["spots"][0]["share"][river.PLAIN][1] > 0
    bench.show()
    assert "kernels / form" in capsys.readouterr().out
