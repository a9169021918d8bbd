"""Runs the process sandbox's warm runner in a hardened Docker container, as a second wall around its own.

The container has no network, no capabilities, no writable file and no user of the host; the only thing mounted
is a read-only directory with the socket that driver and runner talk over. Arrays lie in memory files that pass
through that socket, so a call costs what it costs without Docker. A runner ends with its driver and its
container with it; containers that a killed engine left behind are removed when the next one starts.

Needs the Python package ``docker`` (``pip install 'evolve-marl[docker]'``), a daemon (``DOCKER_HOST`` or the
usual socket) whose file system is this one, and the image that ``make sandbox-image`` builds. Access to a Docker
daemon amounts to root on its host: the process sandbox asks for less.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.attached import AttachedStreams
from sandbox.base import Level, SandboxFault, Verdict
from sandbox.daemon import connect, missing
from sandbox.image import SITE, reference
from sandbox.link import ENVIRONMENT, START_S, RunnerLink
from sandbox.runner.frames import SocketStream
from sandbox.warm import WarmSandbox, packages

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

OWNER = "evolve.sandbox.owner"
"""Label of every container: the process that it belongs to (see `owner`)."""

_CONTROL = "/control"
_MEMORY = "2g"
_PIDS = 128
_NOFILE = 256


class DockerSandbox(WarmSandbox):
    """Implements `sandbox.base.Sandbox`: a warm runner in a container, and a child of it per session."""

    def __init__(self, *, modules: Sequence[str] = ("numpy",), cpu: int | None = None) -> None:
        """Start a container.

        Args:
            modules: importable names that guests and programs may use beside the standard library.
            cpu: the core that the container stays on; by default those of the caller.

        Raises:
            SandboxFault: `SANDBOX_ERROR`, in one line what is missing and what to do.
        """
        self._cpus = {cpu} if cpu is not None else os.sched_getaffinity(0)
        self._client = connect()
        try:
            sweep(self._client)
            super().__init__(modules)
        except BaseException:
            self._client.close()
            raise

    @property
    def level(self) -> Level:
        """Return the isolation that the runner achieved: without its own layers a container is not enough."""
        return Level.DOCKER if self._holds("landlock", "seccomp") else Level.RLIMITS

    def close(self) -> None:
        """Stop the container."""
        super().close()
        self._client.close()

    def _start(self) -> RunnerLink:
        from docker.types import Mount

        with _listening() as (directory, listener):
            mount = Mount(_CONTROL, str(directory), type="bind", read_only=True)
            host = self._run(["--connect", f"{_CONTROL}/socket"], mounts=[mount])
            try:
                control = SocketStream(_accept(listener, host))
            except BaseException:
                host.kill()
                host.release()
                raise
        return RunnerLink.start(host, control, self._config())

    def _config(self) -> dict[str, Any]:
        """Return the runner's configuration: the container brings namespaces and cores."""
        return {"modules": self.modules, "namespaces": False, "cpu": None, "parent": None}

    def _run(self, arguments: Sequence[str], **options: Any) -> ContainerHost:
        """Return a started container.

        Args:
            arguments: how its runner finds the driver.
            options: what its creation needs beside what all have in common.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: there is no image, or the daemon does not start it.
        """
        from docker.errors import APIError

        try:
            host = ContainerHost(self._create(arguments, options), stdin=bool(options.get("stdin_open")))
            try:
                host.container.start()
            except BaseException:
                host.kill()
                host.release()
                raise
        except APIError as error:
            text = f"docker: the container does not start: {error.explanation}"
            raise SandboxFault(Verdict.SANDBOX_ERROR, text[:2000]) from None
        return host

    def _create(self, arguments: Sequence[str], options: dict[str, Any]) -> Container:
        from docker.errors import ImageNotFound
        from docker.types import LogConfig, Ulimit

        limits = {"core": 0, "nofile": _NOFILE}
        try:
            return self._client.containers.create(
                reference(),
                [*arguments, *(f"{name}={SITE}" for name in packages(self.modules))],
                environment=ENVIRONMENT,
                network_mode="none",
                ipc_mode="none",
                user="65534:65534",
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                mem_limit=_MEMORY,
                memswap_limit=_MEMORY,
                pids_limit=_PIDS,
                cpuset_cpus=",".join(map(str, sorted(self._cpus))),
                ulimits=[Ulimit(name=name, soft=value, hard=value) for name, value in limits.items()],
                oom_score_adj=500,
                log_config=LogConfig(type="none"),
                auto_remove=True,
                labels={OWNER: owner()},
                **options,
            )
        except ImageNotFound:
            raise missing(f"no image {reference()}", "`make sandbox-image` builds it") from None


class ContainerHost:
    """Implements `sandbox.link.Host`: the runner is the first process of a container."""

    def __init__(self, container: Container, *, stdin: bool = False) -> None:
        """Attach to `container`, which does not run yet; with `stdin`, its input stays open for frames."""
        self.container = container
        self.streams = AttachedStreams(container, stdin=stdin)

    def wait(self, timeout_s: float) -> bool:
        """Return whether it has ended by itself within `timeout_s`, which the end of its output shows."""
        return self.streams.wait_for_end(timeout_s)

    def kill(self) -> None:
        """End and remove the container."""
        _remove(self.container)

    def printed(self) -> str:
        """Return what it printed on its error stream."""
        return self.streams.errors.decode(errors="replace")

    def release(self) -> None:
        """Close the connection that its output came over."""
        self.streams.release()


def owner() -> str:
    """Return what identifies this process for ever: boot, process namespace, process id and start time."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()} {os.getpid()} {_started(os.getpid())}"


def sweep(client: DockerClient) -> int:
    """Remove the containers of dead processes, and return how many there were.

    Those of another boot or of processes that cannot be seen from here are left alone.
    """
    mine = owner().split()
    removed = 0
    for container in client.containers.list(all=True, ignore_removed=True, filters={"label": OWNER}):
        theirs = str(container.labels.get(OWNER, "")).split()
        if len(theirs) == len(mine) and theirs[:2] == mine[:2] and _started(int(theirs[2])) != theirs[3]:
            _remove(container)
            removed += 1
    return removed


def _started(pid: int) -> str:
    """Return when the process `pid` started, in ticks since the boot; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _remove(container: Container) -> None:
    from docker.errors import APIError

    # It is gone already, or going.
    with contextlib.suppress(APIError):
        container.remove(force=True)


@contextlib.contextmanager
def _listening() -> Iterator[tuple[Path, socket.socket]]:
    """Make a directory with a socket that any user may connect to; both go once the runner has connected."""
    directory = Path(tempfile.mkdtemp(prefix="evolve-sandbox-"))
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(directory / "socket"))
        (directory / "socket").chmod(0o666)
        directory.chmod(0o755)
        listener.listen(1)
        yield directory, listener
    finally:
        listener.close()
        shutil.rmtree(directory, ignore_errors=True)


def _accept(listener: socket.socket, host: ContainerHost) -> socket.socket:
    """Return the connection from the runner in `host`.

    Raises:
        SandboxFault: `SANDBOX_ERROR`: the container ended, or its runner does not see the socket.
    """
    deadline = time.monotonic() + START_S
    listener.settimeout(0.1)
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            return listener.accept()[0]
        if host.wait(0.0):
            raise SandboxFault(
                Verdict.SANDBOX_ERROR, f"docker: the container ended: {host.printed()[-1500:]}"
            )
    raise missing(
        f"nothing connected within {START_S:g} s",
        "the daemon must see this machine's files; a remote one does not",
    )
