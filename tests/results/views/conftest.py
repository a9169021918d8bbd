"""A small campaign whose report is known by hand."""

import pytest

from evaluators.records import Cost, Evaluation, Outcome, Score, Tag, Task, TaskResult
from results.records import HeldOutEvaluation
from results.store import open_store

GAMES = {"kuhn2": 1.0, "leduc2": 4.0}


class Family:
    """Candidates 0 to 2: a seed, its child by structure, and the child of that by constants, which is the best."""

    name = "hunt"
    sources = (
        "class A:\n    def f(self, x):\n        return 1.5 * x\n",
        "class A:\n    def f(self, x):\n        y = x * x\n        return 2.0 * y\n",
        "class A:\n    def f(self, x):\n        z = x * x\n        return -2.5 * z\n",
    )
    ends = ((0.1, 0.2), (0.05, 0.2), (0.01, 0.1))
    baselines = (("weak", (0.2, 0.4)), ("strong", (0.02, 0.01)))

    def results(self, ends):
        """On each game with exact payoffs, and on two copies of the first with perturbed ones."""
        kinds = [(Task(game, game, "exact", 50), end) for game, end in zip(GAMES, ends, strict=True)]
        for k, factor in enumerate((0.25, 4.0)):
            kinds.append((Task(f"kuhn2/generic-{k}", "kuhn2", "generic", 50, seed=k), ends[0] * factor))
        return tuple(
            TaskResult(task=task, value=end, curve=((1, 1.0), (50, end)), uniform=GAMES[task.family])
            for task, end in kinds
        )

    def write(self, make, writer, *, names=("start", "", ""), notes=("", "grow", "tune")):
        ids = [
            writer.add_program(source, tree_hash=str(k), name=names[k])
            for k, source in enumerate(self.sources)
        ]
        for k, key in enumerate(ids):
            parents = () if k == 0 else (ids[k - 1],)
            operator = "seed" if k == 0 else "symbolic"
            writer.record_candidate(make.candidate(k, key, operator=operator, parents=parents, note=notes[k]))
            self.evaluate(writer, k, key, 1.0 + k, self.ends[k])
            writer.tell(k)
        for name, ends in self.baselines:
            key = writer.add_program(f"# {name}\n", tree_hash=name, name=name)
            self.evaluate(writer, None, key, 2.5 if name == "strong" else 0.5, ends)
        return ids

    def evaluate(self, writer, ordinal, key, score, ends, stderr=0.0):
        evaluation = Evaluation(
            Outcome(Tag.OK),
            self.results(ends),
            {"train": Score(score, stderr)},
            isolation="kernel",
            cost=Cost(1.0, 1.0),
        )
        writer.record_evaluation(evaluation, program_id=key, ordinal=ordinal, plan="train")

    def hold_out(self, writer, ids):
        """Two held-out games; the best was run on the first twice."""
        strong = writer.add_program("# strong\n", tree_hash="strong", name="strong")
        for key, game, value in [
            (ids[2], "kuhn4", 0.5), (ids[2], "kuhn4", 0.01), (strong, "kuhn4", 0.1),
            (ids[2], "goofspiel5", 0.04), (strong, "goofspiel5", 0.004), (ids[1], "kuhn4", None),
        ]:  # fmt: skip
            writer.record_held_out(
                HeldOutEvaluation(
                    program_id=key,
                    task=Task(game, game, "exact", 300),
                    outcome=Outcome(Tag.TIMEOUT if value is None else Tag.OK),
                    value=value,
                    stderr=0.0,
                    score=None if value is None else -value,
                    isolation="kernel",
                    purpose="promotion",
                )
            )


@pytest.fixture
def family():
    return Family()


@pytest.fixture
def hunt(family, make, tmp_path):
    """A store with the campaign ``hunt``, finished and promoted."""
    with open_store(tmp_path / "evolve.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec(family.name)) as writer:
            ids = family.write(make, writer)
            writer.record_candidate(
                make.candidate(3, None, operator="symbolic", outcome="invalid", message="no shape")
            )
            writer.tell(3)
            family.hold_out(writer, ids)
            writer.set_status("finished")
        yield store
