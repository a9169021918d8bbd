"""Containers over time: what is asked of them, what they cost, and that none is left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from sandbox import docker, process
from sandbox.base import Level, Limits, SandboxFault, Verdict
from sandbox.docker import OWNER, DockerSandbox, connect, sweep

GUEST = "def start(program):\n    return {'step': lambda s, a: (program.step(*a),)}\n"
IDENTITY = "def step(x):\n    return x\n"
LIMITS = Limits(cpu_s=5.0, wall_s=30.0, call_wall_s=10.0)


def open_(sandbox, program=IDENTITY):
    return sandbox.open(GUEST, program, limits=LIMITS, shared_bytes=1 << 16)


def until(condition, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def left_over():
    return set(Path(tempfile.gettempdir()).glob("evolve-sandbox-*"))


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
class TestContainers:
    @pytest.fixture
    def client(self, docker_host):
        with contextlib.closing(connect()) as client:
            yield client

    def ours(self, client):
        return {c.id for c in client.containers.list(all=True, ignore_removed=True, filters={"label": OWNER})}

    def test_the_container_can_do_nothing_that_it_need_not(self, container, client):
        found = client.containers.get(container._link.host.docker.id).attrs
        host = found["HostConfig"]
        assert (host["NetworkMode"], host["IpcMode"], host["ReadonlyRootfs"]) == ("none", "none", True)
        assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert found["Config"]["User"] == "65534:65534"
        assert [(m["Destination"], m["RW"]) for m in found["Mounts"]] == [("/control", False)]
        assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (2 << 30, 2 << 30, 128)
        assert host["CpusetCpus"] == ",".join(map(str, sorted(os.sched_getaffinity(0))))
        names = {line.partition("=")[0] for line in found["Config"]["Env"]}
        assert names <= {"PATH", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS"}

    def test_it_stays_on_the_core_that_is_asked_for(self, docker_host):
        core = max(os.sched_getaffinity(0))
        program = (
            "import os, numpy as np\ndef step(x):\n    return np.array(sorted(os.sched_getaffinity(0)))\n"
        )
        with DockerSandbox(cpu=core) as sandbox:
            session = open_(sandbox, program)
            assert session.call("step", (), (np.ones(1),))[0].tolist() == [core]
            session.close()

    def test_closing_removes_container_and_directory(self, client, monkeypatch):
        gc.collect()  # What other tests left behind is not to go in between.
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        # A directory of its own, since other tests make such directories meanwhile; short, as sockets' paths must be.
        with tempfile.TemporaryDirectory() as own, monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", own)
            sandbox = DockerSandbox()
            assert not left_over()
        with sandbox:
            mine = sandbox._link.host.docker.id
            open_(sandbox).close()
        gc.collect()
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        assert until(lambda: mine not in self.ours(client))

    def test_a_container_is_replaced_when_it_is_worn_or_killed(self, client, monkeypatch):
        monkeypatch.setattr(process, "SESSIONS_PER_RUNNER", 2)
        with DockerSandbox() as sandbox:
            seen = []
            for _ in range(3):
                open_(sandbox).close()
                seen.append(sandbox._link.host.docker.id)
            assert len(set(seen)) == 2
            session = open_(sandbox)
            sandbox._link.host.docker.kill()
            with pytest.raises(SandboxFault) as caught:
                session.call("step", (), (np.ones(1),))
            assert caught.value.verdict is Verdict.SANDBOX_ERROR
            open_(sandbox).close()

    def test_an_engine_that_is_killed_takes_its_container_along(self, request, client):
        code = (
            f"import sys\nsys.path.insert(0, {str(request.config.rootpath)!r})\nimport numpy as np\n"
            "from sandbox.base import Limits\nfrom sandbox.docker import DockerSandbox\n"
            f"sandbox = DockerSandbox()\nsession = sandbox.open({GUEST!r}, 'def step(x):\\n    while True: pass',\n"
            "    limits=Limits(), shared_bytes=64)\nprint(sandbox._link.host.docker.id, flush=True)\n"
            "session.call('step', (), (np.ones(1),))\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as engine:
            theirs = engine.stdout.readline().decode().strip()
            assert theirs in self.ours(client)
            engine.kill()
        assert until(lambda: theirs not in self.ours(client), 5)

    def test_containers_of_dead_engines_are_swept_and_no_others(self, client, container):
        boot, namespace, *_ = docker.owner().split()
        with subprocess.Popen(["true"]) as dead:
            pass
        owners = {
            "dead": f"{boot} {namespace} {dead.pid} 1",
            "reused": f"{boot} {namespace} {os.getpid()} 1",
            "elsewhere": f"{boot} pid:[1] {dead.pid} 1",
            "mine": docker.owner(),
        }
        made = {
            name: client.containers.create(docker.reference(), labels={OWNER: label})
            for name, label in owners.items()
        }
        try:
            assert sweep(client) == 2
            ids = self.ours(client)
            assert {name for name, c in made.items() if c.id in ids} == {"elsewhere", "mine"}
            assert container._link.host.docker.id in ids
        finally:
            for one in made.values():
                docker._remove(one)

    def test_what_the_runner_printed_is_in_the_error(self, docker_host):
        with pytest.raises(SandboxFault, match="No module named 'no_such_thing'"):
            DockerSandbox(modules=("no_such_thing",))

    def test_a_missing_image_is_named_with_what_builds_it(self, docker_host, monkeypatch):
        monkeypatch.setattr(docker, "reference", lambda: "evolve-sandbox:none")
        with pytest.raises(
            SandboxFault, match=r"no image evolve-sandbox:none; `make sandbox-image` builds it\.$"
        ):
            DockerSandbox()

    def test_a_runner_that_does_not_find_its_socket_is_our_fault(self, docker_host, monkeypatch, tmp_path):
        listening = docker._listening

        @contextlib.contextmanager
        def elsewhere():
            with listening() as (_, listener):
                yield tmp_path, listener

        tmp_path.chmod(0o755)
        monkeypatch.setattr(docker, "_listening", elsewhere)
        with pytest.raises(SandboxFault, match=r"(?s)the container ended: .*FileNotFoundError") as caught:
            DockerSandbox()
        assert caught.value.verdict is Verdict.SANDBOX_ERROR

    def test_calls_are_at_least_half_as_fast_as_without(self, container, runner):
        def median_us(sandbox):
            session = open_(sandbox)
            values = np.ones(2000)
            times = []
            for _ in range(2000):
                began = time.perf_counter()
                session.call("step", (), (values,))
                times.append(time.perf_counter() - began)
            session.close()
            return 1e6 * statistics.median(times)

        best = {box: min(median_us(box) for _ in range(3)) for box in (container, runner)}
        assert best[container] < 2 * best[runner]

    def test_workers_evaluate_in_it_and_record_the_level(self, docker_host):
        import seeds
        from evaluators.registry import get_domain
        from evolve.evaluation.isolation import probe
        from evolve.evaluation.job import close_sandboxes, run_job

        plan = get_domain("cfr").plan(["kuhn2"], tiers=("exact",), budget=5)
        try:
            found = probe(get_domain("cfr").sandbox_modules, "docker")
            evaluation = run_job("cfr", seeds.source("cfr", "cfr_plus"), plan, sandbox="docker")
        finally:
            close_sandboxes()
        assert found == (Level.DOCKER, {}, ())
        assert (evaluation.outcome.tag, evaluation.isolation) == ("ok", "docker")


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_without_a_daemon_one_line_says_what_to_do(monkeypatch, host):
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SandboxFault) as caught:
        DockerSandbox()
    assert caught.value.message == (
        f"docker: no daemon answers at {host}; start one, or set DOCKER_HOST to its address."
    )


def test_without_the_package_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(
        SandboxFault, match=r"^sandbox_error: docker: the Python package is not installed; pip install"
    ):
        DockerSandbox()


def test_the_image_belongs_to_this_runner(monkeypatch, tmp_path):
    first = docker.reference()
    assert first == docker.reference()
    (tmp_path / "server.py").write_text("other")
    monkeypatch.setattr(docker, "RUNNER", tmp_path)
    assert docker.reference() != first
