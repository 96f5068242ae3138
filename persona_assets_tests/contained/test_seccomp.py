"""The filter of every machine, run by a small interpreter of BPF, as no test runs on all of them."""

import errno
import os
import struct

import pytest

from persona_assets.contained.inside import seccomp
from persona_assets.contained.inside.seccomp import ALLOW, CALLS, ERRNO, KILL, MACHINES, program

EPERM = ERRNO | errno.EPERM


def judge(machine: str, number: int, arguments: tuple[int, ...] = (), architecture: int | None = None) -> int:
    """What the filter says of a call."""
    data = struct.pack("=iIQ6Q", number, architecture or MACHINES[machine], 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    lines = list(struct.iter_unpack("=HBBI", program(machine)))
    at = value = 0
    while True:
        code, then, otherwise, k = lines[at]
        at += 1
        match code:
            case seccomp.LOAD:
                (value,) = struct.unpack_from("=I", data, k)
            case seccomp.AND:
                value &= k
            case seccomp.EQUAL:
                at += then if value == k else otherwise
            case seccomp.AT_LEAST:
                at += then if value >= k else otherwise
            case seccomp.RETURN:
                return int(k)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_not_listed_fails(machine: str) -> None:
    column = list(MACHINES).index(machine)
    every = [*CALLS.values(), *(one.numbers for one in seccomp.CHECKED.values())]
    listed = {numbers[column] for numbers in every} | {numbers[column] for numbers, _ in seccomp.REFUSED.values()}
    assert {judge(machine, number) for number in range(1000) if number not in listed} == {EPERM}
    assert {judge(machine, numbers[column]) for numbers in CALLS.values() if numbers[column] is not None} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
def test_another_table_ends_the_process(machine: str) -> None:
    other = next(value for name, value in MACHINES.items() if name != machine)
    assert judge(machine, 0, architecture=other) == KILL
    assert judge(machine, 0x40000000 | 39) == KILL


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 257), ("aarch64", 56)])
def test_files_are_opened_to_read_alone(machine: str, number: int) -> None:
    def opened(flags: int) -> int:
        return judge(machine, number, (0, 0, flags))

    assert opened(os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY) == ALLOW
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_TMPFILE, os.O_ACCMODE):
        assert opened(flag) == EPERM


@pytest.mark.parametrize(("machine", "fcntl", "prlimit", "ioctl"), [("x86_64", 72, 302, 16), ("aarch64", 25, 261, 29)])
def test_arguments_are_looked_at(machine: str, fcntl: int, prlimit: int, ioctl: int) -> None:
    assert judge(machine, fcntl, (0, 1)) == ALLOW
    assert {judge(machine, fcntl, (0, command)) for command in (4, 8, 10, 15, 1026, 1031)} == {EPERM}
    assert judge(machine, prlimit, (0,)) == ALLOW
    assert judge(machine, prlimit, (1,)) == EPERM
    assert judge(machine, prlimit, (1 << 32,)) == ALLOW  # the kernel reads 32 bits: itself
    assert judge(machine, ioctl) == ERRNO | errno.ENOTTY
    assert judge(machine, 435) == ERRNO | errno.ENOSYS  # clone3, for which the C library takes clone instead
