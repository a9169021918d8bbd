"""Pack 26 circles into the unit square so that the sum of their radii is as large as possible.

A program returns a row (x, y, radius) for each circle. Outside of the sandbox radii are shrunk until nothing overlaps,
which is then checked in exact arithmetic: the value of a program is that of a packing which anybody can verify.
"""

from fractions import Fraction
from itertools import combinations

import numpy as np

from evaluators.contract import Component, InvalidAnswer, Mechanism, Parameter
from evaluators.functions import Function, array
from evaluators.records import Metric, Task, TaskResult
from evaluators.task_domain import TaskDomain
from sandbox.base import Limits

SCATTER = Mechanism(
    name="scatter",
    component="Packing",
    target="return",
    variable="circles",
    summary="moves every centre at random, the same way each time",
    body="scatter_rng = np.random.default_rng({seed})\n"
    "circles[:, :2] += {distance} * scatter_rng.normal(size=(n, 2))\n"
    "circles[:, :2] = np.clip(circles[:, :2], 0.01, 0.99)",
    parameters=(
        Parameter("seed", 100, 1, 10_000, spread=1.0, integer=True),
        Parameter("distance", 0.03, 0.001, 0.3, spread=0.8),
    ),
)
RELAX = Mechanism(
    name="relax",
    component="Packing",
    target="return",
    variable="circles",
    summary="lets circles grow and push one another away, more and more stiffly",
    body="""\
relax_speed = np.zeros((n, 3))
for relax_step in range({steps}):
    relax_between = circles[:, None, :2] - circles[None, :, :2]
    relax_distance = np.sqrt((relax_between**2).sum(2)) + 9.0 * np.eye(n)
    relax_overlap = np.maximum(circles[:, None, 2] + circles[None, :, 2] - relax_distance, 0.0)
    relax_low = np.maximum(circles[:, 2:] - circles[:, :2], 0.0)
    relax_high = np.maximum(circles[:, 2:] + circles[:, :2] - 1.0, 0.0)
    relax_push = relax_between * (relax_overlap / relax_distance)[:, :, None]
    relax_push = relax_push.sum(1) + relax_low - relax_high
    relax_growth = {softness} * {stiffening} ** (-relax_step / {steps})
    relax_growth = relax_growth - relax_overlap.sum(1) - (relax_low + relax_high).sum(1)
    relax_speed = {momentum} * relax_speed + {rate} * np.column_stack([relax_push, relax_growth])
    circles = np.clip(circles + relax_speed, 0.001, 0.999)""",
    parameters=(
        Parameter("steps", 100, 10, 5000, spread=1.0, integer=True),
        Parameter("softness", 0.1, 0.01, 1.0),
        Parameter("stiffening", 100.0, 10.0, 1e6, spread=1.0),
        Parameter("momentum", 0.8, 0.1, 0.95, spread=0.1),
        Parameter("rate", 0.1, 0.01, 0.3),
    ),
)


class CirclePacking(TaskDomain):
    name = "circle_packing"
    metric = Metric("radii", "sum of radii", "max", "linear", resolution=1e-4, task="square", budget="circle")
    components = (Component("Packing", "pack", ("n",)),)
    mechanisms = (SCATTER, RELAX)
    seed = "grid"
    baselines = ("grid", "rows")
    limits = Limits(cpu_s=5.0, wall_s=40.0, call_wall_s=20.0, memory_mib=512)

    def tasks(self, suite, tiers=None, budget=None, seeds=None):
        return [Task("square", "square", budget=budget or 26)]

    def run(self, program, task, sandbox, limits):
        pack = Function(program, self.components[0], sandbox, limits)
        circles = array(pack(task.budget), (task.budget, 3), low=0.0, high=1.0, what="pack")
        return TaskResult(task, float(sum(map(Fraction, shrunk(circles)[:, 2]))))


def shrunk(circles):
    """Return circles with radii small enough to be a packing, checked exactly."""
    centres, radii = circles[:, :2], circles[:, 2]
    radii = np.minimum(radii, np.minimum(centres, 1 - centres).min(axis=1))
    distances = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2)) + 9 * np.eye(len(radii))
    sums = radii[:, None] + radii[None]
    factors = np.divide(distances, sums, out=np.ones_like(sums), where=sums > distances)
    circles = np.column_stack([centres, radii * factors.min(axis=1) * (1 - 1e-12)])
    exact = [tuple(map(Fraction, circle)) for circle in circles.tolist()]
    inside = all(r <= min(x, y, 1 - x, 1 - y) for x, y, r in exact)
    apart = all(
        (a - x) ** 2 + (b - y) ** 2 >= (r + s) ** 2 for (a, b, r), (x, y, s) in combinations(exact, 2)
    )
    if not (inside and apart):
        raise InvalidAnswer("pack: expected circles that do not overlap once they are shrunk a little")
    return circles


DOMAIN = CirclePacking()
