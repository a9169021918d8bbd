"""Runs the Docker sandbox's container under gVisor: on a kernel of its own, which is an ordinary program.

A program's system calls reach gVisor's kernel, written in a memory-safe language and confined by the host's filters,
in place of the host's. No memory and no socket passes its boundary, so tokens and arrays travel over the
container's standard streams, which costs a call a hundred times what it costs elsewhere: for programs that are
hostile in earnest, not for searching.

gVisor has no Landlock. The system call filter, which it has, lets nothing be opened for writing, nothing writable is
mounted, and what can be read are the image's own files, which hold nothing secret.

Needs what the Docker sandbox needs, and a daemon that knows the runtime ``runsc``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.base import Level
from sandbox.daemon import missing
from sandbox.docker import DockerSandbox
from sandbox.link import RunnerLink
from sandbox.transport import StreamTransport

RUNTIME = "runsc"


class GvisorSandbox(DockerSandbox):
    """Implements `sandbox.base.Sandbox`: a container under gVisor, and a child of its runner per session."""

    _transport = StreamTransport

    @property
    def level(self) -> Level:
        """Return the isolation that the runner achieved: `GVISOR` needs a filter, and a kernel that is not this one."""
        return Level.GVISOR if self._holds("seccomp", "kernel") else super().level

    @property
    def layers(self) -> Mapping[str, str]:
        """Return what holds; `kernel` is ``on`` where the runner's is not this machine's."""
        kernel = "on: its own" if self._link.own_kernel else "off: it is this machine's"
        landlock = self._link.layers["landlock"]
        if self._link.own_kernel and not landlock.startswith("on"):
            landlock = "none: gVisor has none"
        return {**self._link.layers, "landlock": landlock, "kernel": kernel}

    def _start(self) -> RunnerLink:
        if RUNTIME not in self._client.info().get("Runtimes", {}):
            raise missing(
                f"the daemon has no runtime {RUNTIME}",
                f"install gVisor and start the daemon with --add-runtime {RUNTIME}=<path of {RUNTIME}>",
            )
        # gVisor mounts a writable directory there unless something is mounted already.
        nothing = {"/tmp": "ro,size=4k"}
        options: dict[str, Any] = {"runtime": RUNTIME, "stdin_open": True, "tmpfs": nothing}
        host = self._run(["--streams"], **options)
        return RunnerLink.start(host, host.streams, self._config())
