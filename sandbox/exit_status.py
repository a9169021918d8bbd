"""Translates how a child ended, as the runner and the kernel report it, into a verdict and a message."""

from __future__ import annotations

import os
import signal

from sandbox.base import Limits, Verdict
from sandbox.link import Ended
from sandbox.runner import wire
from sandbox.runner.execute import FAILURES


def exit_verdict(ended: Ended, limits: Limits, *, callback_cpu_s: float) -> tuple[Verdict, str]:
    """Return the verdict on a child that ended without an answer, and why.

    Args:
        ended: the runner's report.
        limits: what it was allowed.
        callback_cpu_s: CPU time that callbacks used for it.
    """
    number = os.WTERMSIG(ended.status) if os.WIFSIGNALED(ended.status) else 0
    if ended.reason == Verdict.LOG_FLOOD:
        return Verdict.LOG_FLOOD, f"printed {ended.log_total} bytes; {limits.log_bytes} are kept"
    spent = ended.cpu_s + callback_cpu_s >= limits.cpu_s
    if ended.reason == Verdict.CPU_LIMIT or number == signal.SIGXCPU or (number == signal.SIGKILL and spent):
        return Verdict.CPU_LIMIT, cpu_message(limits)
    if ended.reason is not None:
        return Verdict.NO_RESULT, "closed its channel without a result"
    if number == signal.SIGSYS:
        return Verdict.VIOLATION, "made a system call that no program needs"
    if number:
        return Verdict.CRASH, f"killed by {_signal_name(number)}"
    status = os.waitstatus_to_exitcode(ended.status)
    return Verdict.NO_RESULT, f"exited with status {status} without a result"


def _signal_name(number: int) -> str:
    """Return the name of a signal, or ``signal 40``: most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def cpu_message(limits: Limits) -> str:
    """Return the message for a program that used too much CPU time."""
    return f"used more than {limits.cpu_s:g} s of CPU"


def parse_error(token: bytes) -> tuple[Verdict, str]:
    """Return the verdict and the message of an error token, which may only claim what is in `FAILURES`.

    Raises:
        WireError: it claims another verdict, or is malformed.
    """
    body = token[3 : wire.body_end(token)]
    if not body or body[0] >= len(FAILURES):
        raise wire.WireError(
            f"error: expected a verdict below {len(FAILURES)} and a text, got {len(body)} bytes"
        )
    return Verdict(FAILURES[body[0]]), body[1:].decode(errors="replace")
