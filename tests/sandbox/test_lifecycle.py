"""Runners and sessions over time: costs, recycling, deaths of either side, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from sandbox import process
from sandbox.base import Level, Limits, SandboxFault, Verdict
from sandbox.process import ProcessSandbox

GUEST = """
import numpy as np

def start(program):
    return {
        "step": lambda scalars, arrays: (program.step(*arrays),),
        "ask": lambda scalars, arrays: callback("work", scalars, arrays),
    }
"""
IDENTITY = "def step(x):\n    return x\n"
LIMITS = Limits(cpu_s=2.0, wall_s=20.0, call_wall_s=5.0)


def open_(sandbox, program=IDENTITY, *, limits=LIMITS, shared_bytes=1 << 16, callbacks=None):
    return sandbox.open(GUEST, program, limits=limits, shared_bytes=shared_bytes, callbacks=callbacks)


def serves(sandbox) -> bool:
    session = open_(sandbox)
    (result,) = session.call("step", (), (np.ones(2),))
    session.close()
    return result.tolist() == [1.0, 1.0]


def children(pid: int) -> set[int]:
    """All processes below `pid`."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            for child in map(int, (task / "children").read_text().split()):
                found |= {child} | children(child)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descriptors_open() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def until(condition, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_two_hundred_sessions_leave_nothing_behind():
    with ProcessSandbox() as sandbox:
        serves(sandbox)
        processes, descriptors = children(os.getpid()), descriptors_open()
        mapped = Path("/proc/self/maps").read_text().count("memfd:session")
        for _ in range(200):
            assert serves(sandbox)
        assert children(os.getpid()) == processes
        assert descriptors_open() == descriptors
        assert Path("/proc/self/maps").read_text().count("memfd:session") == mapped == 0
        below = processes & {sandbox._link.host.process.pid, *children(sandbox._link.host.process.pid)}
    assert not any(alive(pid) for pid in below)


def test_faults_leave_nothing_behind(runner):
    serves(runner)
    descriptors = descriptors_open()
    for program in ("1 / 0", "import os; os._exit(0)", "def step(x): return x[9]", "def step(x): return 3"):
        with pytest.raises(SandboxFault):
            open_(runner, program).call("step", (), (np.ones(1),))
    assert descriptors_open() == descriptors


def test_a_runner_is_replaced_after_many_sessions(monkeypatch):
    monkeypatch.setattr(process, "SESSIONS_PER_RUNNER", 3)
    with ProcessSandbox(namespaces=False) as sandbox:
        pids = []
        for _ in range(7):
            assert serves(sandbox)
            pids.append(sandbox._link.host.process.pid)
    assert len(set(pids)) == 3


@pytest.mark.parametrize(
    "deed", ["import os; os.abort()", "import ctypes; ctypes.CDLL(None).unshare(0x10000000)"]
)
def test_a_runner_is_replaced_after_a_crash_or_a_violation(deed):
    with ProcessSandbox(namespaces=False) as sandbox:
        if sandbox.level < Level.KERNEL:
            pytest.skip(f"needs seccomp, this kernel gives {sandbox.level.label}")
        first = sandbox._link.host.process.pid
        with pytest.raises(SandboxFault) as caught:
            open_(sandbox, deed)
        assert caught.value.verdict in {Verdict.CRASH, Verdict.VIOLATION}
        assert serves(sandbox)
        assert sandbox._link.host.process.pid != first


@pytest.mark.parametrize("namespaces", [True, False])
def test_a_runner_that_dies_is_our_fault_and_is_replaced(namespaces):
    with ProcessSandbox(namespaces=namespaces) as sandbox:
        session = open_(sandbox)
        os.kill(sandbox._link.host.process.pid, signal.SIGKILL)
        with pytest.raises(SandboxFault) as caught:
            while True:
                session.call("step", (), (np.ones(1),))
        assert caught.value.verdict is Verdict.SANDBOX_ERROR
        session.close()
        assert serves(sandbox)


def test_a_runner_that_hangs_is_our_fault_and_is_replaced(monkeypatch):
    monkeypatch.setattr("sandbox.link.ANSWER_S", 0.5)
    with ProcessSandbox(namespaces=False) as sandbox:
        session = open_(sandbox)
        os.kill(sandbox._link.host.process.pid, signal.SIGSTOP)
        assert session.call("step", (), (np.ones(1),))[0].tolist() == [1.0]
        with pytest.raises(SandboxFault, match="did not answer 'end'") as caught:
            session.close()
        assert caught.value.verdict is Verdict.SANDBOX_ERROR
        assert serves(sandbox)


def test_a_child_that_cannot_confine_itself_is_our_fault():
    with ProcessSandbox(namespaces=False) as sandbox:
        with pytest.raises(SandboxFault, match="a child could not start") as caught:
            open_(sandbox, limits=Limits(cpu_s=1e30))
        assert caught.value.verdict is Verdict.SANDBOX_ERROR
        assert "Error" in caught.value.message
        assert serves(sandbox)


def test_an_interrupt_while_a_session_ends_does_not_desynchronise(monkeypatch):
    with ProcessSandbox(namespaces=False) as sandbox:
        session = open_(sandbox)
        monkeypatch.setattr(
            "sandbox.runner.frames.recv_frame", lambda *_, **__: signal.raise_signal(signal.SIGINT)
        )
        with pytest.raises(KeyboardInterrupt):
            session.close()
        monkeypatch.undo()
        assert serves(sandbox)


def test_an_unknown_module_is_our_fault():
    with pytest.raises(SandboxFault, match="expected an installed package, got 'no_such_thing'"):
        ProcessSandbox(modules=("no_such_thing",))


def test_declared_modules_are_there_and_native_code_in_them_works():
    with ProcessSandbox(modules=("numpy", "scipy.optimize")) as sandbox:
        program = (
            "from scipy.optimize import linprog\n"
            "def step(x):\n    return linprog(-x, A_ub=[[1.0] * len(x)], b_ub=[1.0]).x\n"
        )
        session = open_(sandbox, program)
        assert session.call("step", (), (np.array([1.0, 3.0, 2.0]),))[0].tolist() == [0.0, 1.0, 0.0]
        session.close()


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("numpy.testing", "assert_allclose(x, x)"),
        ("numpy.ma", "masked_array(x, x > 1.0).sum()"),
        ("numpy.polynomial", "Polynomial([1.0, 2.0])(x)"),
        ("logging", "getLogger('program').warning('heard')"),
        ("random", "Random(1).random()"),
        ("threading", "Thread(target=x.sum).start()"),
        ("concurrent.futures", "ThreadPoolExecutor(1).submit(x.sum).result()"),
        ("csv", "reader(['1,2'])"),
        ("decimal", "Decimal(2).sqrt()"),
        ("fractions", "Fraction(1, 3)"),
        ("graphlib", "TopologicalSorter()"),
        ("pprint", "pformat([1])"),
        ("queue", "SimpleQueue().put(1)"),
        ("statistics", "NormalDist().inv_cdf(0.3)"),
        ("textwrap", "dedent(' a')"),
        ("uuid", "uuid4()"),
        ("zoneinfo", "ZoneInfo"),
    ],
)
def test_what_is_python_only_can_be_loaded_by_programs(runner, module, use):
    name = module.replace(".", "_")
    session = open_(runner, f"import {module} as {name}\ndef step(x):\n    {name}.{use}\n    return x\n")
    assert session.call("step", (), (np.ones(2),))[0].tolist() == [1.0, 1.0]
    session.close()


def test_random_numbers_begin_alike_in_all_sessions_of_all_runners(runner, bare):
    program = "import random, numpy as np\ndef step(x):\n    return np.append(np.random.random(3), random.random())\n"
    found = set()
    for sandbox in (runner, runner, bare):
        session = open_(sandbox, program)
        found.add(session.call("step", (), (np.ones(1),))[0].tobytes())
        session.close()
    assert found == {np.append(np.random.RandomState(0).random(3), random.Random(0).random()).tobytes()}


def said_of_child(runner, session, *names):
    """What the kernel says of a session's process in these files; the session is closed then."""
    (child,) = [pid for pid in children(runner.runner_pid) if not children(pid)]
    try:
        return [Path(f"/proc/{child}/{name}").read_text() for name in names]
    except PermissionError:
        pytest.skip("only root may look into a process that is not dumpable")
    finally:
        session.close()


def test_a_child_has_what_its_runner_gave_up_and_its_own_limits(runner):
    """As the kernel says it, of a child that runs."""
    session = open_(runner, limits=Limits(cpu_s=3.0))
    status, limits = said_of_child(runner, session, "status", "limits")
    status = dict(line.split(":", 1) for line in status.splitlines())
    assert int(status["NoNewPrivs"]) == 1
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert int(status["Seccomp"]) == (2 if runner.layers["seccomp"] == "on" else 0)
    assert int(status["SigBlk"], 16) == 0
    rows = {line[:25].strip(): line[25:].split()[:2] for line in limits.splitlines()[1:]}
    assert rows["Max cpu time"] == ["5", "6"]
    for name, value in (
        ("file size", "0"),
        ("core file size", "0"),
        ("locked memory", "0"),
        ("open files", "32"),
    ):
        assert rows[f"Max {name}"] == [value, value], name
    assert "unlimited" not in rows["Max address space"]


def test_a_guest_that_does_not_compile_fails_in_its_session_only(runner):
    for _ in range(2):
        with pytest.raises(SandboxFault, match="SyntaxError") as caught:
            runner.open("def start(", IDENTITY, limits=LIMITS, shared_bytes=64)
        assert caught.value.verdict is Verdict.EXCEPTION
    assert serves(runner)


def test_a_guest_is_not_taken_for_one_of_the_same_length(runner):
    for value in (1.0, 2.0, 1.0):
        guest = f"import numpy as np\ndef start(program):\n    return {{'f': lambda s, a: (np.array([{value}]),)}}\n"
        session = runner.open(guest, IDENTITY, limits=LIMITS, shared_bytes=64)
        assert session.call("f")[0].tolist() == [value]
        session.close()


def test_levels_without_namespaces(runner):
    with ProcessSandbox(namespaces=False) as sandbox:
        assert sandbox.layers["namespaces"] == "none: not asked for"
        assert sandbox.level is min(runner.level, Level.KERNEL)
        assert serves(sandbox)


def test_it_stays_on_the_core_that_is_asked_for():
    core = min(os.sched_getaffinity(0))
    with ProcessSandbox(cpu=core) as sandbox:
        session = open_(
            sandbox,
            "import os, numpy as np\ndef step(x):\n    return np.array(sorted(os.sched_getaffinity(0)))\n",
        )
        assert session.call("step", (), (np.ones(1),))[0].tolist() == [core]
        session.close()


def test_a_closed_sandbox_says_so():
    sandbox = ProcessSandbox(namespaces=False)
    sandbox.close()
    sandbox.close()
    with pytest.raises(RuntimeError, match="it is closed"):
        open_(sandbox)


def test_the_session_has_a_deadline_of_its_own(runner):
    session = open_(
        runner, "import time\ndef step(x):\n    time.sleep(0.2)\n    return x\n", limits=Limits(wall_s=0.7)
    )
    with pytest.raises(SandboxFault, match=r"the session took longer than 0\.7 s") as caught:
        for _ in range(20):
            session.call("step", (), (np.ones(1),))
    assert caught.value.verdict is Verdict.TIMEOUT
    assert 0.6 < session.close().wall_s < 3


def test_starting_has_the_deadline_of_a_call(runner):
    with pytest.raises(SandboxFault, match=r"a call took longer than 0\.3 s"):
        open_(runner, "import time; time.sleep(9)", limits=Limits(call_wall_s=0.3))


def test_cpu_of_callbacks_counts(runner):
    def work(scalars, arrays):
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
        return arrays

    session = open_(runner, limits=Limits(cpu_s=0.8), callbacks={"work": work})
    with pytest.raises(SandboxFault) as caught:
        for _ in range(20):
            session.call("ask", (), (np.ones(1),))
    assert caught.value.verdict is Verdict.CPU_LIMIT
    assert 0.8 < session.close().cpu_s < 2


def test_cpu_limits_are_finer_than_a_second(runner):
    session = open_(runner, "def step(x):\n    while True: pass\n", limits=Limits(cpu_s=0.2))
    with pytest.raises(SandboxFault, match=r"used more than 0\.2 s of CPU"):
        session.call("step", (), (np.ones(1),))
    assert 0.2 <= session.close().cpu_s < 0.8


def test_the_log_is_capped_and_never_blocks(runner):
    program = "def step(x):\n    print('y' * 2_000_000)\n    return x\n"
    session = open_(runner, program, limits=Limits(log_bytes=1000))
    session.call("step", (), (np.ones(1),))
    log = session.close().log
    assert log.startswith("y" * 1000)
    assert log.endswith("(2000001 bytes in all)")
    assert len(log) < 1100


@pytest.mark.parametrize(
    ("deed", "verdict"),
    [
        ("os._exit(3)", Verdict.NO_RESULT),
        ("os.abort()", Verdict.CRASH),
        ("while True: pass", Verdict.CPU_LIMIT),
    ],
)
def test_without_its_log_a_program_is_judged_as_with_it(runner, deed, verdict):
    # The end of the log is how a runner learns that a child has ended.
    silent = "import os\nos.closerange(1, 3)\n"
    session = open_(runner, silent + IDENTITY)
    assert session.call("step", (), (np.ones(2),))[0].tolist() == [1.0, 1.0]
    session.close()
    with pytest.raises(SandboxFault) as caught:
        session = open_(runner, f"{silent}def step(x):\n    {deed}\n", limits=Limits(0.3, 20.0, 10.0))
        session.call("step", (), (np.ones(2),))
    session.close()
    assert caught.value.verdict is verdict


def test_a_child_costs_little_memory(runner):
    session = open_(runner, "def step(x):\n    return x\n")
    session.call("step", (), (np.ones(1000),))
    (text,) = said_of_child(runner, session, "smaps_rollup")
    rows = dict(line.split(":", 1) for line in text.splitlines()[1:])
    private_kib = sum(int(rows[name].split()[0]) for name in ("Private_Dirty", "Private_Clean"))
    assert private_kib < 5 * 1024


def test_sources_may_be_larger_than_the_arrays(runner):
    program = IDENTITY + "text = '" + "é" * 300_000 + "'\n"
    session = open_(runner, program, shared_bytes=64)
    assert session.call("step", (), (np.ones(1),))[0].tolist() == [1.0]
    session.close()


def test_an_interrupt_of_the_caller_ends_the_session_only(runner):
    def work(scalars, arrays):
        raise KeyboardInterrupt

    session = open_(runner, callbacks={"work": work})
    with pytest.raises(KeyboardInterrupt):
        session.call("ask", (), (np.ones(1),))
    session.close()
    assert serves(runner)


WORKER = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
from sandbox.base import Limits
from sandbox.process import ProcessSandbox
guest = "def start(program): return {{'step': lambda s, a: (program.step(*a),)}}"
sandbox = ProcessSandbox(namespaces={namespaces})
session = sandbox.open(guest, "def step(x):\\n    while True: pass", limits=Limits(), shared_bytes=64)
print("ready", flush=True)
session.call("step", (), (np.ones(1),))
"""


def start_worker(root, namespaces):
    code = textwrap.dedent(WORKER).format(root=str(root), namespaces=namespaces)
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert worker.stdout.readline() == b"ready\n"
    time.sleep(0.2)
    return worker, children(worker.pid)


@pytest.mark.parametrize("namespaces", [True, False])
def test_all_end_with_a_worker_that_is_killed(request, namespaces):
    worker, below = start_worker(request.config.rootpath, namespaces)
    assert len(below) >= 2
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert until(lambda: not any(alive(pid) for pid in below), 1.0)


def test_an_interrupt_at_the_terminal_does_not_reach_runner_or_child(request):
    """A terminal signals the process groups of its session; runner and child are in sessions of their own."""
    worker, below = start_worker(request.config.rootpath, True)
    with worker:
        sessions = {os.getsid(pid) for pid in below}
        assert os.getsid(worker.pid) not in sessions
        assert os.getsid(os.getpid()) not in sessions
        worker.kill()
    assert until(lambda: not any(alive(pid) for pid in below), 1.0)
