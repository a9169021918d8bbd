"""Exploitability of CFR, CFR+ and DCFR as the authors of DDCFR (Xu et al., ICLR 2024) logged it.

Numbers from the logs in github.com/rpSebastian/DDCFR (results/*/*/data.csv, MIT licence), six digits.
"""

import pytest

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.games.loading import load
from sandbox.base import Limits
from sandbox.inprocess import InProcessSandbox

LOGS = {
    "kuhn2": {
        "cfr": {10: 0.0686988, 100: 0.00822598, 1000: 0.000937617},
        "cfr_plus": {10: 0.0326871, 100: 0.0011944, 1000: 8.73653e-05},
        "dcfr": {10: 0.0227788, 100: 0.00166634, 1000: 0.0001465},
    },
    "leduc2": {
        "cfr": {2: 2.06132, 10: 0.888579, 100: 0.0957164},
        "cfr_plus": {2: 2.05792, 10: 0.610439, 100: 0.013416},
        "dcfr": {2: 2.05519, 10: 0.778802},
    },
    "goofspiel3": {
        "cfr": {10: 0.0791667, 100: 0.00791667, 1000: 0.000791667},
        "cfr_plus": {10: 0.0166667, 100: 0.000181518, 1000: 1.8315e-06},
        "dcfr": {10: 0.0030303, 100: 3.44811e-06, 1000: 3.49476e-09},
    },
    "goofspiel4": {
        "cfr": {10: 0.149655, 100: 0.0325889},
        "cfr_plus": {10: 0.142997, 100: 0.0111299, 1000: 0.000268007},
        "dcfr": {10: 0.191011, 100: 0.00793972, 1000: 0.000409643},
    },
    "liars_dice4": {
        "cfr": {10: 0.141638, 100: 0.0170436, 1000: 0.00172717},
        "cfr_plus": {10: 0.106562, 100: 0.00229521, 1000: 4.5332e-05},
        "dcfr": {10: 0.0993776, 100: 0.00068445, 1000: 2.62205e-05},
    },
    "matrix_nfg5": {
        "cfr": {10: 300.593, 100: 30.6531, 1000: 3.60061},
        "cfr_plus": {10: 55.1981, 100: 1.25216, 1000: 0.433562},
        "dcfr": {10: 8.45443, 100: 0.615546, 1000: 0.00925599},
    },
}
"""Game -> seed -> iterations -> value. Rounding decides later iterations of Leduc, and of CFR on 4-card Goofspiel."""


@pytest.mark.parametrize(("game", "program"), [(game, program) for game in LOGS for program in LOGS[game]])
def test_agrees_with_the_authors_log(game, program):
    logged, played = LOGS[game][program], load(game)
    with InProcessSandbox() as sandbox:
        run = DOMAIN.begin(seeds.source("cfr", program), played, max(logged), sandbox, Limits())
        for k in range(1, max(logged) + 1):
            run.iterate()
            if k in logged:
                assert run.exploitability() == pytest.approx(logged[k], rel=1e-5)
