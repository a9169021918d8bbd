"""The barrier around one candidate: an exception of ours is that candidate's outcome, and the campaign goes on."""

from __future__ import annotations

import traceback

from evaluators.records import Evaluation, Outcome, Tag

_MAX_LOG = 16_000


def engine_error(error: BaseException) -> Evaluation:
    """Return the evaluation of a candidate on which the engine failed: no score, and the traceback in its log."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:500]
    log = "".join(traceback.format_exception(error))[-_MAX_LOG:]
    return Evaluation(Outcome(Tag.ENGINE_ERROR, reason), log=log)
