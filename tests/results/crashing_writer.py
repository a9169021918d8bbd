"""A process to be killed: continues a campaign and says on stdout what has become durable.

Usage: ``crashing_writer.py DATABASE``. Every line is written after the call it speaks of returned, so whatever stands
there must be in the database. Half of the candidates take the short way, one transaction; the others are recorded,
evaluated and told in three.
"""

from __future__ import annotations

import os
import random
import sys

from results.records import CampaignSpec, CandidateRecord, CurveRecord, EvaluationRecord
from results.store import open_store
from results.writer import CampaignWriter

NAME = "to-be-killed"


def say(word: str, ordinal: int) -> None:
    os.write(1, f"{word} {ordinal}\n".encode())


def source_of(ordinal: int) -> str:
    return f"weight = {ordinal}\n" * 20


def evaluation_of(ordinal: int, program_id: str) -> EvaluationRecord:
    """The same in every process: the test computes it again."""
    rng = random.Random(ordinal)
    curves = tuple(
        CurveRecord(
            instance=f"game-{place}",
            game="game",
            variant="exact",
            iterations=1000,
            game_string="game()",
            uniform=rng.random(),
            points=tuple((k, rng.random()) for k in range(10)),
            cpu_s=rng.random(),
            wall_s=rng.random(),
            candidate_cpu_s=rng.random(),
        )
        for place in range(16)
    )
    return EvaluationRecord(
        ordinal=ordinal,
        program_id=program_id,
        plan="train",
        outcome="ok",
        isolation="none",
        cpu_s=rng.random(),
        wall_s=rng.random(),
        scores={"train": rng.random(), "worst": rng.random()},
        curves=curves,
    )


def write(writer: CampaignWriter, ordinal: int, *, evaluated: bool) -> None:
    def evaluate() -> None:
        program_id = writer.add_program(source_of(ordinal), tree_hash="t")
        writer.record_candidate(
            CandidateRecord(ordinal=ordinal, operator="test", program_id=program_id, outcome="ok")
        )
        writer.record_evaluation(evaluation_of(ordinal, program_id))

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
        name=NAME, domain="d", seed=0, objective="train", plan="train", config={}, versions={}, machine={}
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
