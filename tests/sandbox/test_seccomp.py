"""The system call filter, run on paper: both machines' tables, every answer, every argument that decides."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest

from sandbox.runner import seccomp

PID = 4321
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 1, "aarch64": 2}
HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}
machines = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


def answer(machine, number, *arguments, audit=None):
    """What the filter says to a call: an interpreter of the five instructions that it uses."""
    arguments = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, audit or AUDIT[machine], 0, *arguments)
    program = seccomp.build(PID, machine)
    at, loaded = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            return value
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            at += if_true if holds else if_false


def table(machine):
    return {
        "allowed": seccomp.numbers(seccomp._ALLOWED, COLUMN[machine]),
        "killed": seccomp.numbers(seccomp._KILLED, COLUMN[machine]),
        "conditional": seccomp.numbers(seccomp._CONDITIONAL, COLUMN[machine]),
    }


@machines
def test_every_call_has_one_answer(machine):
    found = table(machine)
    every = [number for part in found.values() for number in part.values()]
    assert len(every) == len(set(every))
    for number in found["allowed"].values():
        assert answer(machine, number) == ALLOW
    for number in found["killed"].values():
        assert answer(machine, number) == KILL
    for number in {*range(600), 0x3FFFFFFF} - set(every):
        assert answer(machine, number) == EPERM


@machines
def test_another_architecture_is_killed(machine):
    assert answer(machine, 1, audit=0x40000003) == KILL
    assert answer(machine, 0x40000000 + 39) == (KILL if machine == "x86_64" else EPERM)


@machines
def test_arguments_that_decide(machine):
    call = table(machine)["conditional"]

    def says(name, *arguments):
        return answer(machine, call[name], *arguments)

    assert says("mmap", 0, 4096, 3) == says("mprotect", 0, 4096, 1) == ALLOW
    assert says("mmap", 0, 4096, 7) == says("mprotect", 0, 4096, 4) == EPERM
    assert says("openat", 0, 0, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY) == ALLOW
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_TMPFILE | os.O_RDWR):
        assert says("openat", 0, 0, flag) == EPERM
    if machine == "x86_64":
        assert says("open", 0, os.O_RDONLY) == ALLOW
        assert says("open", 0, os.O_CREAT) == EPERM
    assert says("clone", 0x003D0F00) == ALLOW
    assert says("clone", 17) == says("clone", 0x003D0F00 | 0x10000000) == EPERM
    assert says("clone3") == ENOSYS
    assert says("kill", PID, 11) == says("tgkill", PID, PID, 6) == ALLOW
    assert says("kill", 1, 9) == says("kill", 2**64 - 1, 9) == says("tgkill", 1, 1, 9) == EPERM
    assert says("prlimit64", 0, 0, 0, 1) == ALLOW
    for refused in ((0, 0, 1, 0), (0, 0, 1 << 32, 0), (1, 0, 0, 1)):
        assert says("prlimit64", *refused) == EPERM
    assert says("prctl", 15) == ALLOW
    assert says("prctl", 1) == says("prctl", 4) == says("prctl", 22) == EPERM
    assert says("fcntl", 0, 1030) == says("ioctl", 0, 0x5401) == ALLOW
    assert says("fcntl", 0, 1033) == says("fcntl", 0, 1024) == says("ioctl", 0, 0x5412) == EPERM


@machines
def test_numbers_are_the_kernels(machine):
    path = Path(HEADERS[machine])
    if not path.exists():
        pytest.skip(f"no kernel headers at {path}")
    pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
    theirs = {name: int(number) for name, number in re.findall(pattern, path.read_text())}
    theirs = {"newfstatat" if machine == "aarch64" and n == "fstatat" else n: v for n, v in theirs.items()}
    for part in table(machine).values():
        for name, number in part.items():
            assert theirs.get(name, number) == number, name
    known = [name for part in table(machine).values() for name in part if name in theirs]
    assert len(known) > 100


@machines
def test_a_process_id_is_put_in_where_nobodys_is(machine):
    """What a child changes in the filter that its runner built: the two tests of its own id, and nothing else."""
    nobody, own = (seccomp.build(pid, machine) for pid in (seccomp.NOBODY, PID))
    found = struct.pack("<I", seccomp.NOBODY)
    assert nobody.count(found) == 2
    assert nobody.replace(found, struct.pack("<I", PID)) == own


def test_an_unknown_machine_has_no_filter():
    assert seccomp.build(PID, "riscv64") is None
