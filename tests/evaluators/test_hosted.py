"""The life of a hosted program: what closes it, and what is said then."""

import gc

import numpy as np
import pytest

from evaluators.contract import InvalidAnswer
from evaluators.hosted import HostedProgram, ProgramFailed
from sandbox.base import Limits
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox

GUEST = """
import numpy as np

def start(program):
    return {"value": lambda scalars, arrays: (np.array([program.value()]),)}
"""


class Host(HostedProgram):
    called = "host"

    def __init__(self, source, sandbox=None):
        super().__init__(sandbox or InProcessSandbox())
        with self._faults():
            self._session = self._open(GUEST, source, limits=Limits(), shared_bytes=4096)

    def value(self):
        with self._faults():
            (found,) = self._session.call("value")
            if not np.isfinite(found[0]):
                raise InvalidAnswer("value: expected a number")
            return float(found[0])


def program(value):
    return f"def value():\n    return {value}\n"


@pytest.mark.parametrize("sandbox", [InProcessSandbox, ProcessSandbox])
def test_a_program_answers_until_it_is_closed(sandbox):
    with Host(program(2.0), sandbox()) as host:
        assert host.value() == 2.0
        assert (host.isolation == "none") is (sandbox is InProcessSandbox)
    with pytest.raises(
        RuntimeError, match="host: expected an open one; it was closed, or its program failed"
    ):
        host.value()
    host.close()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1 / 0", "program: ended as exception: ZeroDivisionError"),
        ("float('nan')", "program: value: expected"),
    ],
)
def test_a_failure_closes_it(value, said):
    host = Host(program(value))
    with pytest.raises(ProgramFailed, match=said) as failure:
        host.value()
    assert failure.value.exit_code == 1
    with pytest.raises(RuntimeError, match="closed"):
        host.value()


def test_a_program_that_does_not_start():
    with pytest.raises(ProgramFailed, match="program: ended as exception: ZeroDivisionError"):
        Host("1 / 0")


def test_a_forgotten_host_is_closed():
    host = Host(program(1.0))
    closed = host._close
    del host
    gc.collect()
    assert not closed.alive
