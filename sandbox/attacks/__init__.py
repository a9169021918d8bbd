"""Lists the attacks that programs may try against a sandbox, each with the one verdict that it must end with.

One table serves three: the short check when a campaign starts (`sandbox.selfcheck`), ``evolve doctor --attack``,
and the tests. A new attack is a new row.
"""

from sandbox.attacks.base import CONTAINED, OK, THROUGH, Attack, Planted, Result, attempt, planted
from sandbox.attacks.faking import FAKING
from sandbox.attacks.files import FILES
from sandbox.attacks.network import NETWORK
from sandbox.attacks.processes import PROCESSES
from sandbox.attacks.resources import RESOURCES

ATTACKS: tuple[Attack, ...] = (*RESOURCES, *FILES, *NETWORK, *PROCESSES, *FAKING)
SHORT: tuple[Attack, ...] = tuple(attack for attack in ATTACKS if attack.short)

__all__ = [
    "ATTACKS",
    "CONTAINED",
    "OK",
    "SHORT",
    "THROUGH",
    "Attack",
    "Planted",
    "Result",
    "attempt",
    "planted",
]
