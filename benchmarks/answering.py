"""A model that costs nothing: a loopback server in a process of its own, which changes a number of the parent."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks.loopback import LoopbackServer, Reply

_CHANGES = {
    r"^        weight = .*$": "        weight = (iteration_number + 1) ** {0:.9f}",
    r"^        return np\.maximum\(info_states\..*$": (
        "        return np.maximum(info_states.cumulative_regret + cfr_regrets, 0.0) * {0:.9f}"
    ),
}
"""A line of the seed CFR+ -> what replaces it."""


def change(text: str) -> str:
    """Return an answer to a prompt of the CFR domain, another one for every prompt."""
    digest = hashlib.sha256(text.encode()).digest()
    pattern, new = list(_CHANGES.items())[digest[0] % 2]
    number = 1.0 + int.from_bytes(digest[1:8], "big") / 2**56
    line = re.findall(pattern, text, re.MULTILINE)[-1]  # The parent is what a prompt shows last.
    blocks = f"<<<<<<< SEARCH\n{line}\n=======\n{new.format(number)}\n>>>>>>> REPLACE\n"
    return f"Idea: another number\n{blocks}"


@contextmanager
def server(latency_s: float) -> Iterator[tuple[str, int]]:
    """Run a server that takes so long to answer while the block runs; gives its address and its process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, latency_s), daemon=True)
    process.start()
    theirs.close()
    try:
        assert process.pid is not None
        yield ours.recv(), process.pid
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, latency_s: float) -> None:
    """Serve, in the server's process, until the other end of the pipe is closed."""
    # Ten thousand prompts, kept, would slow down everything else on the machine.
    with LoopbackServer(lambda text, number: Reply(change(text), delay_s=latency_s), keep=False) as loopback:
        pipe.send(loopback.url)
        pipe.poll(None)
