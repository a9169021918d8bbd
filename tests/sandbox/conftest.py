"""Sandboxes that tests share: starting a runner takes longer than most of what is tested in one."""

from __future__ import annotations

import contextlib

import pytest

from sandbox.docker import PYTHON, RUNTIME, DockerSandbox, GvisorSandbox, connect, reference
from sandbox.link import StreamTransport
from sandbox.process import ProcessSandbox
from sandbox.selfcheck import planted


@pytest.fixture(scope="session")
def runner():
    with ProcessSandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def bare():
    """As where the kernel refuses namespaces: only the first wall stands."""
    with ProcessSandbox(namespaces=False) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def plants():
    """What attacks look for; in the end nothing may have reached it."""
    with planted() as found:
        yield found
        assert set(found.reached().values()) == {0}, found.reached()


@pytest.fixture(scope="session")
def container(docker_host):
    with DockerSandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def streamed():
    """A process sandbox whose arrays travel through the control stream, as they do into gVisor."""

    class Streamed(ProcessSandbox):
        _transport = StreamTransport

    with Streamed() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def gvisor_host(docker_host):
    """A daemon that runs the image under gVisor."""
    from docker.errors import APIError

    with contextlib.closing(connect()) as client:
        if RUNTIME not in client.info()["Runtimes"]:
            pytest.skip(f"no {RUNTIME} is installed, or the machine's daemon does not know it")
        try:
            options = {"runtime": RUNTIME, "network_mode": "none", "remove": True}
            client.containers.run(reference(), ["-c", "pass"], entrypoint=PYTHON, **options)
        except APIError as error:
            pytest.skip(f"{RUNTIME} does not run here: {str(error)[:300]}")
    return docker_host


@pytest.fixture(scope="session")
def gvisor(gvisor_host):
    with GvisorSandbox() as sandbox:
        yield sandbox
