"""What a runner announced binds every child: one that cannot put it up ends before it runs anything."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from sandbox import process
from sandbox.base import Level, Limits, SandboxFault, Verdict
from sandbox.link import StreamTransport
from sandbox.process import ProcessSandbox

GUEST = "def start(program):\n    return {'step': lambda s, a: (program.step(*a),)}\n"
PROGRAM = "print('an untrusted line')\ndef step(x):\n    return x\n"

REFUSING = """
import ctypes, errno, resource
from . import kernel

class _Refusing:
    '''The C library, which refuses one call as the kernel would.'''

    def __init__(self, libc, refused):
        self._libc, self._refused = libc, refused

    def __getattr__(self, name):
        def call(number, *rest):
            if (name, getattr(number, 'value', number)) != self._refused:
                return getattr(self._libc, name)(number, *rest)
            ctypes.set_errno(errno.EPERM)
            return -1
        return call

def _refuse_call(name, number):
    kernel._libc = _Refusing(kernel._libc, (name, number))

def _refuse(module, name, first=None):
    whole = getattr(module, name)
    def call(*arguments):
        if first is None or arguments[0] == first:
            raise PermissionError(errno.EPERM, f'{name}: refused for this test')
        return whole(*arguments)
    setattr(module, name, call)
"""

STEPS = {
    "session": ("_refuse(os, 'setsid')", "setsid"),
    "death with the runner": ("_refuse_call('prctl', 1)", "die_with_parent"),
    "address space": ("_refuse(resource, 'setrlimit', resource.RLIMIT_AS)", "setrlimit"),
    "CPU time": ("_refuse(resource, 'setrlimit', resource.RLIMIT_CPU)", "setrlimit"),
    "file size": ("_refuse(resource, 'setrlimit', resource.RLIMIT_FSIZE)", "setrlimit"),
    "Landlock": ("_refuse_call('syscall', kernel.SYS_LANDLOCK_RESTRICT)", "landlock_restrict_self"),
    "descriptors": ("_refuse(confine, '_arrange_descriptors')", "_arrange_descriptors"),
    "seccomp": ("_refuse_call('prctl', kernel.PR_SET_SECCOMP)", "in install"),
}
"""Each step of a child's confinement: what refuses it, and what the fault's message names."""


@pytest.fixture
def runner_that(monkeypatch, tmp_path):
    """Have runners made from now on execute statements after they prepared themselves, or before."""

    def arrange(statements, *, first):
        copy = tmp_path / "runner"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(process.RUNNER, copy, ignore=shutil.ignore_patterns("__pycache__"))
        lines = [f"    {statements}", "    prepared = _prepare(config)"]
        body = "\n".join(lines if first else lines[::-1])
        with (copy / "server.py").open("a") as server:
            server.write(f"{REFUSING}\ndef _refusing(config):\n{body}\n    return prepared\n")
            server.write("_prepare, prepare.prepare = prepare.prepare, _refusing\n")
        monkeypatch.setattr(process, "RUNNER", copy)

    return arrange


class Streamed(ProcessSandbox):
    _transport = StreamTransport


def open_(sandbox):
    return sandbox.open(GUEST, PROGRAM, limits=Limits(cpu_s=2.0), shared_bytes=1 << 12)


def serves(sandbox):
    session = open_(sandbox)
    (result,) = session.call("step", (), (np.ones(2),))
    assert session.close().log == "an untrusted line\n"
    return result.tolist() == [1.0, 1.0]


def test_a_runner_of_this_test_is_like_any_other(runner_that, runner):
    runner_that("pass", first=False)
    with ProcessSandbox() as sandbox:
        assert sandbox.layers == runner.layers
        assert serves(sandbox)


@pytest.mark.parametrize("kind", [ProcessSandbox, Streamed])
@pytest.mark.parametrize("step", STEPS)
def test_a_child_that_fails_a_step_runs_nothing(runner_that, runner, step, kind):
    if step.lower() in runner.layers and not runner.layers[step.lower()].startswith("on"):
        pytest.skip(f"there is no {step} here")
    refuse, name = STEPS[step]
    runner_that(refuse, first=False)
    with kind() as sandbox:
        assert sandbox.layers == runner.layers
        for _ in range(2):
            with pytest.raises(SandboxFault, match="a child could not start") as caught:
                open_(sandbox)
            assert caught.value.verdict is Verdict.SANDBOX_ERROR
            assert name in caught.value.message
            assert "untrusted line" not in caught.value.message


@pytest.mark.parametrize("step", ["Landlock", "seccomp"])
def test_what_never_worked_is_not_announced_and_not_required(runner_that, step):
    runner_that(STEPS[step][0], first=True)
    with ProcessSandbox() as sandbox:
        assert sandbox.level is Level.RLIMITS
        assert sandbox.layers[step.lower()].startswith("off: ")
        assert serves(sandbox)


@pytest.mark.parametrize(
    "step", ["session", "death with the runner", "address space", "CPU time", "descriptors"]
)
def test_a_runner_whose_children_can_never_be_confined_does_not_start(runner_that, step):
    runner_that(STEPS[step][0], first=True)
    with pytest.raises(SandboxFault) as caught:
        ProcessSandbox()
    assert caught.value.verdict is Verdict.SANDBOX_ERROR


def test_a_new_runner_that_is_isolated_less_is_refused(runner_that, monkeypatch, runner):
    if runner.level < Level.KERNEL:
        pytest.skip(f"needs seccomp, this machine gives {runner.level.label}")
    with ProcessSandbox() as sandbox:
        assert serves(sandbox)
        whole = process.RUNNER
        runner_that(STEPS["seccomp"][0], first=True)
        sandbox._worn = True
        for _ in range(2):
            with pytest.raises(SandboxFault, match="as before; got rlimits") as caught:
                open_(sandbox)
            assert caught.value.verdict is Verdict.SANDBOX_ERROR
        monkeypatch.setattr(process, "RUNNER", whole)
        assert serves(sandbox)
        assert sandbox.level is runner.level
