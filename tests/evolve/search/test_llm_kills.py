"""Twenty times kill -9 in the middle of campaigns with a model: no answer is paid twice, and nothing else changes.

The server answers by what it is asked alone, which a campaign's seed, the candidate and the attempt decide; so a
continued campaign that asked anything else than the undisturbed one would come to other results.
"""

import hashlib
import json
import math
import random
import re
import signal
import threading
import time
from collections import Counter

import pytest

from benchmarks.loopback import LoopbackServer, Reply
from evolve.models.base import Message, Request
from results import queries
from results.store import open_store

pytestmark = pytest.mark.slow

MAX_TOKENS = 1000
CONFIG = f"""
tiers = ["exact"]
[llm]
max_output_tokens = {MAX_TOKENS}
repairs = 1
[llm.prices."openai:m"]
input = 1.0
output = 10.0
"""
QUICK = ("--games", "kuhn2", "--iterations", 10, "--candidates", 60, "--workers", 1, "--json")
LATENCY_S = 0.03
WINDOW = 3
"""Answers that a campaign may be ahead of who reads its events: it cannot end before it is killed."""
MOMENTS = ("request", "answer", "call", "candidate")
"""A request has come, an answer has left, an answer is stored (its evaluation begins), a candidate is told."""


def answer(text, number):
    """A change that follows from the question; one in eight is of no use, one in eight a program that fails."""
    draw = random.Random(hashlib.sha256(text.encode()).digest())
    parent = text.rpartition("# The parent, which you change")[2]
    line = re.search(r"^        weight = .*$", parent, re.MULTILINE)
    kind = draw.random()
    if line is None or kind < 0.125:
        return Reply("I do not know.", delay_s=LATENCY_S)
    new = f"        weight = (iteration_number + 1) ** {draw.uniform(0.5, 3.0):.6f}"
    if kind > 0.875:
        new = f"        weight = iteration_number / 0  # {draw.random()}"
    blocks = f"Idea: a power\n<<<<<<< SEARCH\n{line[0]}\n=======\n{new}\n>>>>>>> REPLACE\n"
    return Reply(blocks, delay_s=draw.uniform(0.0, 2 * LATENCY_S))


class Server(LoopbackServer):
    """A server that may kill its client, and that can be made to answer only as fast as somebody reads about it."""

    def __init__(self):
        super().__init__(self._answering)
        self._changed = threading.Condition()
        self._process, self._moment, self._left = None, None, 0
        self._free, self._run = math.inf, 0

    def attend(self, process, moment, left):
        """From now on answer `WINDOW` requests more than `release` is told of; kill at the last of these moments."""
        with self._changed:
            self._process, self._moment, self._left, self._free = process, moment, left, WINDOW

    def release(self):
        """Somebody has read of an answer."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def forget(self):
        """Answer everything again."""
        with self._changed:
            self._moment, self._free, self._run = None, math.inf, self._run + 1
            self._changed.notify_all()

    def serve(self, handler):
        """Answer one request."""
        super().serve(handler)
        with self._changed:
            self._comes("answer")

    def _answering(self, text, number):
        with self._changed:
            run = self._run
            self._comes("request")
            self._changed.wait_for(lambda: self._free > 0 or self._run != run)
            self._free -= 1
        return answer(text, number)

    def _comes(self, moment):
        if moment == self._moment:
            self._left -= 1
            if not self._left:
                self._process.kill()

    @property
    def asked(self):
        """Hash of a request -> how often it came."""
        bodies = [received.body for received in self.received]
        messages = [tuple(Message(m["role"], m["content"]) for m in body["messages"]) for body in bodies]
        return Counter(Request(m, body["max_tokens"]).hash for m, body in zip(messages, bodies, strict=True))


def calls_of(db, name):
    """The campaign's calls, none as long as there is no such campaign."""
    if not db.exists():
        return []
    with open_store(db, read_only=True) as store:
        return queries.calls(store, name) if store.find_campaign(name) else []


def places(calls, *states):
    return Counter((c.ordinal, c.attempt) for c in calls if c.state in states)


def rows(calls, state):
    return {row for row, call in enumerate(calls) if call.state == state}


def said(calls):
    """What was asked and answered, call by call, whatever the order in which they ended."""
    return sorted((c.ordinal, c.attempt, c.request_hash, c.answer) for c in calls if c.state == "answered")


def kill(process, moment, server, draw):
    """End the process at a moment; which one of its kind, and how long after it, is drawn."""
    left = draw.randint(1, 2)
    server.attend(process, moment, left)
    if moment not in ("request", "answer"):
        while left:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            event = json.loads(line)["event"]
            left -= event == moment
            if event == "call":
                server.release()
        time.sleep(draw.uniform(0.0, 0.02))
        process.kill()
    _, err = process.communicate(timeout=120)
    server.forget()
    assert process.returncode == -signal.SIGKILL, err


@pytest.mark.parametrize("seed", range(2))
def test_ten_kills_change_nothing(evolve_command, evolve_run, contents, tmp_path, seed):
    config, name = tmp_path / "campaign.toml", f"cfr-llm-s{seed}"
    config.write_text(CONFIG)
    command = ("run", config, "--operator", "llm", "--model", "openai:m", "--seed", seed, *QUICK)
    draw = random.Random(seed)
    moments = ["baseline", *draw.sample(MOMENTS * 2, 8), draw.choice(MOMENTS)]

    def environment(server):
        return {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "sk-test"}

    whole, db = tmp_path / "whole.db", tmp_path / "killed.db"
    with Server() as server:
        code, _, err = evolve_run(*command, "--db", whole, env=environment(server))
        assert code == 0, err
        once = server.asked

    in_flight = set()  # rows that no answer had come to when the campaign was killed
    with Server() as server:
        for moment in moments:
            before = calls_of(db, name)
            process = evolve_command(*command, "--db", db, env=environment(server))
            kill(process, moment, server, draw)
            after = calls_of(db, name)
            # Every request was stored before it left, and what was answered before was not asked again.
            assert server.asked <= Counter(c.request_hash for c in after)
            assert places(after, "answered") >= places(before, "answered")
            assert not places(after[len(before) :], "answered", "sent") & places(before, "answered")
            # They are booked as lost when they are sent again, which a run that is killed early may not come to.
            assert rows(after, "lost") <= in_flight
            in_flight |= rows(after, "sent")
            if moment == "request":
                assert places(after, "sent")
        code, _, err = evolve_run(*command, "--db", db, env=environment(server))
        assert code == 0, err

    calls = calls_of(db, name)
    assert contents(db, name) == contents(whole, name)
    assert said(calls) == said(calls_of(whole, name))
    assert Counter(c.state for c in calls) == {"answered": once.total(), "lost": len(in_flight)}
    # Paid for: the answers, once each, and what was in flight, at what it may have cost.
    assert rows(calls, "lost") == in_flight
    assert all(c.cost_usd > 10.0 * MAX_TOKENS / 1e6 for c in calls if c.state == "lost")
    assert server.asked - once <= Counter(c.request_hash for c in calls if c.state == "lost")
    assert once <= server.asked
