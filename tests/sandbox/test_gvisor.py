"""The container under gVisor: what is asked of the daemon, what counts as gVisor, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sandbox import docker as module
from sandbox.base import Level, Limits, SandboxFault, Verdict
from sandbox.docker import OWNER, PYTHON, GvisorSandbox, connect, reference
from sandbox.selfcheck import check, confirmed

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

GUEST = "def start(program):\n    return {'step': lambda s, a: (program.step(*a),)}\n"
IDENTITY = "def step(x):\n    return x\n"
LIMITS = Limits(cpu_s=5.0, wall_s=60.0, call_wall_s=30.0)


def open_(sandbox, program=IDENTITY, limits=LIMITS):
    return sandbox.open(GUEST, program, limits=limits, shared_bytes=1 << 20)


def ours(client):
    return {c.id for c in client.containers.list(all=True, ignore_removed=True, filters={"label": OWNER})}


def until(condition, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def client(docker_host):
    with contextlib.closing(connect()) as client:
        yield client


def test_the_container_can_do_nothing_that_it_need_not(gvisor, client):
    found = client.containers.get(gvisor._link.host.docker.id).attrs
    host = found["HostConfig"]
    assert (host["Runtime"], host["Tmpfs"], found["Mounts"]) == ("runsc", {"/tmp": "ro,size=4k"}, [])
    assert (host["NetworkMode"], host["IpcMode"], host["ReadonlyRootfs"]) == ("none", "none", True)
    assert (host["CapDrop"], found["Config"]["User"]) == (["ALL"], "65534:65534")


def test_nothing_is_writable_even_for_the_runner(client, gvisor_host):
    """The filter refuses writing to programs; without it there would still be no place."""
    code = (
        "import os\nfor place in ['/'] + ['/' + n for n in os.listdir('/')] + ['/dev/shm', '/var/tmp']:\n"
        "    try: open(place + '/marker', 'w'); print(place)\n    except OSError: pass\n"
    )
    options = {"runtime": "runsc", "network_mode": "none", "read_only": True, "user": "65534:65534"}
    options |= {"tmpfs": {"/tmp": "ro,size=4k"}, "ipc_mode": "none", "remove": True}
    assert client.containers.run(reference(), ["-c", code], entrypoint=PYTHON, **options) == b""


def test_the_level_is_what_was_found(gvisor):
    results = check(gvisor)
    assert [r for r in results if not r.ok] == []
    assert confirmed(gvisor.level, results) is Level.GVISOR


def test_a_runtime_of_that_name_on_this_kernel_is_a_container_like_any_other(docker_host, monkeypatch):
    monkeypatch.setattr(module, "RUNTIME", "runc")
    with GvisorSandbox() as sandbox:
        assert (sandbox.level, sandbox.layers["kernel"]) == (Level.DOCKER, "off: it is this machine's")
        session = open_(sandbox)
        values = np.arange(60_000.0)
        assert np.array_equal(session.call("step", (), (values,))[0], values)
        session.close()


def test_a_daemon_without_the_runtime_is_told_what_to_do(docker_host, monkeypatch):
    monkeypatch.setattr(module, "RUNTIME", "nosuch")
    with pytest.raises(SandboxFault) as caught:
        GvisorSandbox()
    assert caught.value.message == (
        "docker: the daemon has no runtime nosuch; "
        "install gVisor and start the daemon with --add-runtime nosuch=<path of nosuch>."
    )


def test_a_container_that_does_not_start_is_our_fault(docker_host, monkeypatch):
    run = GvisorSandbox._run
    monkeypatch.setattr(module, "RUNTIME", "runc")
    monkeypatch.setattr(GvisorSandbox, "_run", lambda *a, **o: run(*a, entrypoint="/nowhere", **o))
    with pytest.raises(SandboxFault, match=r"docker: the container does not start: .*/nowhere") as caught:
        GvisorSandbox()
    assert caught.value.verdict is Verdict.SANDBOX_ERROR


def test_closing_removes_the_container(client, gvisor_host):
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with GvisorSandbox() as sandbox:
        mine = sandbox._link.host.docker.id
        open_(sandbox).close()
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert until(lambda: mine not in ours(client))


def test_a_container_that_is_killed_is_our_fault_and_is_replaced(gvisor_host):
    with GvisorSandbox() as sandbox:
        session = open_(sandbox)
        sandbox._link.host.docker.kill()
        with pytest.raises(SandboxFault) as caught:
            session.call("step", (), (np.ones(1),))
        assert caught.value.verdict is Verdict.SANDBOX_ERROR
        session = open_(sandbox)
        assert session.call("step", (), (np.ones(1),))[0].tolist() == [1.0]
        session.close()


def test_an_engine_that_is_killed_takes_its_container_along(request, client, gvisor_host):
    code = (
        f"import sys\nsys.path.insert(0, {str(request.config.rootpath)!r})\nimport numpy as np\n"
        "from sandbox.base import Limits\nfrom sandbox.docker import GvisorSandbox\n"
        f"sandbox = GvisorSandbox()\nsession = sandbox.open({GUEST!r}, 'def step(x):\\n    while True: pass',\n"
        "    limits=Limits(cpu_s=300.0), shared_bytes=64)\nprint(sandbox._link.host.docker.id, flush=True)\n"
        "session.call('step', (), (np.ones(1),))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as engine:
        theirs = engine.stdout.readline().decode().strip()
        assert theirs in ours(client)
        engine.kill()
    assert until(lambda: theirs not in ours(client))


def test_workers_evaluate_in_it_and_record_the_level(gvisor_host):
    import seeds
    from evaluators.registry import get_domain
    from evolve.evaluation.isolation import probe
    from evolve.evaluation.job import close_sandboxes, run_job

    modules = get_domain("cfr").sandbox_modules
    plan = get_domain("cfr").plan(["kuhn2"], tiers=("exact",), budget=5)
    try:
        found = probe(modules, "gvisor")
        evaluation = run_job("cfr", seeds.source("cfr", "cfr_plus"), plan, sandbox="gvisor")
        same = run_job("cfr", seeds.source("cfr", "cfr_plus"), plan)
    finally:
        close_sandboxes()
    assert found == (Level.GVISOR, {}, ())
    assert (evaluation.outcome.tag, evaluation.isolation) == ("ok", "gvisor")
    assert [r.curve for r in evaluation.results] == [r.curve for r in same.results]
