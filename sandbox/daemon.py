"""Connects to the Docker daemon, or says in one line what is missing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from sandbox.base import SandboxFault, Verdict

if TYPE_CHECKING:
    from docker import DockerClient


def connect() -> DockerClient:
    """Return a client of the daemon.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, in one line what is missing and what to do.
    """
    try:
        import docker
    except ImportError:
        raise missing(
            "the Python package is not installed", "pip install 'evolve-marl[docker]' installs it"
        ) from None
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    try:
        # The SDK leaves a socket open that it could not connect.
        if where.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(where.removeprefix("unix://"))
        client = docker.from_env()
        client.ping()
    except (OSError, docker.errors.DockerException):
        raise missing(
            f"no daemon answers at {where}", "start one, or set DOCKER_HOST to its address"
        ) from None
    return client


def missing(what: str, remedy: str) -> SandboxFault:
    """Return the fault for a machine where Docker sandboxes cannot run: what is missing, and what to do."""
    return SandboxFault(Verdict.SANDBOX_ERROR, f"docker: {what}; {remedy}.")
