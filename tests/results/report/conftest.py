"""A small campaign whose report is known by hand."""

import pytest

from results.records import CurveRecord, EvaluationRecord
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

    def curves(self, ends):
        """A run per game with exact payoffs, and two with perturbed ones on the first."""
        kinds = [(game, "exact", end) for game, end in zip(GAMES, ends, strict=True)]
        kinds += [("kuhn2", f"generic-{k}", ends[0] * factor) for k, factor in enumerate((0.25, 4.0))]
        return tuple(
            CurveRecord(
                instance=f"{game}/{variant}", game=game, variant=variant, iterations=50, game_string=game,
                uniform=GAMES[game], points=((1, 1.0), (50, end)), cpu_s=0.1, wall_s=0.1, candidate_cpu_s=0.05,
            )
            for game, variant, end in kinds
        )  # fmt: skip

    def write(self, make, writer, *, names=("start", "", ""), notes=("", "grow", "tune")):
        ids = [
            writer.add_program(source, tree_hash=str(k), name=names[k])
            for k, source in enumerate(self.sources)
        ]
        for k, key in enumerate(ids):
            parents = () if k == 0 else (ids[k - 1],)
            operator = "seed" if k == 0 else "symbolic"
            writer.record_candidate(make.candidate(k, key, operator=operator, parents=parents, note=notes[k]))
            writer.record_evaluation(self.evaluation(k, key, 1.0 + k, self.ends[k]))
            writer.tell(k)
        for name, ends in self.baselines:
            key = writer.add_program(f"# {name}\n", tree_hash=name, name=name)
            writer.record_evaluation(self.evaluation(None, key, 2.5 if name == "strong" else 0.5, ends))
        return ids

    def evaluation(self, ordinal, key, score, ends):
        return EvaluationRecord(
            ordinal=ordinal, program_id=key, plan="train", outcome="ok", isolation="kernel", cpu_s=1.0, wall_s=1.0,
            scores={"train": score}, curves=self.curves(ends),
        )  # fmt: skip

    def look(self, writer, ids):
        """Two sealed games; the best was run on the first twice."""
        strong = writer.add_program("# strong\n", tree_hash="strong", name="strong")
        for key, game, value in [
            (ids[2], "kuhn4", 0.5), (ids[2], "kuhn4", 0.01), (strong, "kuhn4", 0.1),
            (ids[2], "goofspiel5", 0.04), (strong, "goofspiel5", 0.004), (ids[1], "kuhn4", None),
        ]:  # fmt: skip
            writer.record_promotion(key, game=game, iterations=300, exploitability=value, purpose="promotion")


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
            family.look(writer, ids)
            writer.set_status("finished")
        yield store
