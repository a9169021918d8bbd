"""A process to be killed: continues a campaign and says on stdout what has become durable.

Usage: ``crashing_writer.py DATABASE``. Every line is written after the call it speaks of returned, so whatever stands
there must be in the database. Half of the candidates take the short way, one transaction; the others are recorded,
evaluated and told in three.
"""

from __future__ import annotations

import os
import random
import sys

from evaluators.records import Candidate, Cost, Evaluation, Metric, Outcome, Score, Tag, Task, TaskResult
from results.records import CampaignSpec
from results.store import open_store
from results.writer import CampaignWriter

NAME = "to-be-killed"
OK = Outcome(Tag.OK)


def say(word: str, ordinal: int) -> None:
    os.write(1, f"{word} {ordinal}\n".encode())


def source_of(ordinal: int) -> str:
    return f"weight = {ordinal}\n" * 20


def evaluation_of(ordinal: int) -> Evaluation:
    """The same in every process: the test computes it again."""
    rng = random.Random(ordinal)

    def result(place: int) -> TaskResult:
        curve = tuple((k, rng.random()) for k in range(10))
        return TaskResult(
            task=Task(f"game-{place}", "game", "exact", 1000),
            value=curve[-1][1],
            curve=curve,
            uniform=rng.random(),
            cost=Cost(rng.random(), rng.random(), rng.random()),
        )

    return Evaluation(
        outcome=OK,
        results=tuple(map(result, range(16))),
        scores={"train": Score(rng.random()), "worst": Score(rng.random(), rng.random(), 5)},
        stages={"all": Score(rng.random())},
        isolation="none",
        cost=Cost(rng.random(), rng.random()),
    )


def write(writer: CampaignWriter, ordinal: int, *, evaluated: bool) -> None:
    def evaluate() -> None:
        program_id = writer.add_program(source_of(ordinal), tree_hash="t")
        writer.record_candidate(
            Candidate(ordinal=ordinal, operator="test", program_id=program_id, outcome=OK)
        )
        writer.record_evaluation(evaluation_of(ordinal), program_id=program_id, ordinal=ordinal, plan="train")

    if not evaluated and ordinal % 2:
        with writer.transaction():
            evaluate()
            writer.tell(ordinal)
    else:
        if not evaluated:
            with writer.transaction():
                evaluate()
            say("evaluated", ordinal)
        writer.tell(ordinal)
    say("told", ordinal)


def main(where: str) -> None:
    spec = CampaignSpec(
        name=NAME,
        domain="d",
        seed=0,
        objective="train",
        metric=Metric("loss", "loss", "min", "linear", 0.0),
        plan="train",
        config={},
        versions={},
        machine={},
    )
    with open_store(where) as store:
        begun = store.find_campaign(NAME)
        writer = store.continue_campaign(NAME) if begun else store.begin_campaign(spec)
        state = writer.load()
        say("continued", len(state.told))
        ordinal = len(state.told)
        while True:
            write(writer, ordinal, evaluated=ordinal in state.pending)
            ordinal += 1


if __name__ == "__main__":
    main(sys.argv[1])
