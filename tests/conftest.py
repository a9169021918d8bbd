"""What tests of several packages share: which of them need a server, and a Docker daemon."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from sandbox.base import SandboxFault
from sandbox.docker import RUNTIME, connect
from sandbox.image import build_offline


def pytest_collection_modifyitems(items):
    """Mark tests by what they need, which their fixtures say."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        if "docker_host" in item.fixturenames:
            item.add_marker(pytest.mark.docker)
        if "postgres_server" in item.fixturenames or (
            parameters and "postgresql" in parameters.id.split("-")
        ):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def docker_host():
    """A daemon with the image made of this interpreter: the machine's own, or one started here where that may be."""
    pytest.importorskip("docker", reason="the Python package docker is not installed")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="dockerd-") as directory:
        host, reason = "", ""
        with contextlib.ExitStack() as stack:
            if not _answers():
                host, reason = stack.enter_context(_daemon(Path(directory)))
                if reason:
                    pytest.skip(reason)
                patch.setenv("DOCKER_HOST", host)
            with contextlib.closing(connect()) as client:
                build_offline(client)
            yield host


def _answers() -> bool:
    try:
        connect().close()
    except SandboxFault:
        return False
    return True


@contextlib.contextmanager
def _daemon(directory: Path):
    """Start a daemon: its address, and "" or why it does not start."""
    program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin")
    if os.geteuid() != 0 or program is None:
        reason = "no dockerd is installed" if program is None else "only root may start one"
        yield "", f"no Docker daemon answers, and {reason}"
        return
    host = f"unix://{directory}/docker.sock"
    command = [program, "-H", host, "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec"]
    command += ["-p", f"{directory}/pid", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    if runsc := shutil.which("runsc"):
        # The platform that needs nothing of the machine; its network needs more than this daemon gives.
        wrapper = directory / RUNTIME
        wrapper.write_text(f'#!/bin/sh\nexec {runsc} --platform=ptrace --network=none "$@"\n')
        wrapper.chmod(0o755)
        command += ["--add-runtime", f"{RUNTIME}={wrapper}"]
    with (directory / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as daemon:
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("DOCKER_HOST", host)
                deadline = time.monotonic() + 20
                while not (up := _answers()) and daemon.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.1)
            last = (directory / "log").read_text(errors="replace").splitlines()[-1:]
            yield host, "" if up else f"dockerd does not start here: {''.join(last)[:300]}"
        finally:
            daemon.terminate()
            daemon.wait(30)
