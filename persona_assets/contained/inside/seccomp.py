"""seccomp: the system calls that a program may make are listed; every other one fails, in this and any later kernel.

What is listed computes, reads files that Landlock or a mount lets it see, and writes to what is open already. Not
listed: processes and threads, sockets, signals to others, tracing, mounts, keys, io_uring, BPF, and all that changes a
file or its metadata. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import fcntl
import os
import struct
from typing import NamedTuple

from persona_assets.contained.inside import kernel

PR_SET_SECCOMP, MODE_FILTER = 22, 2
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # instructions of BPF
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets of what a filter sees; arguments have 8 bytes, the low half first
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000  # the second table of x86_64, which the first 31 bits hide
O_TMPFILE = 0o20000000  # without O_DIRECTORY, which Python's constant has too

Numbers = tuple[int | None, int | None]  # of a call on x86_64 and on aarch64; None where a machine does not have it
CALLS: dict[str, Numbers] = {
    "read": (0, 63), "readv": (19, 65), "pread64": (17, 67), "write": (1, 64), "writev": (20, 66), "close": (3, 57),
    "lseek": (8, 62), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "getdents64": (217, 61),
    "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "getcwd": (79, 17),
    "brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226),
    "madvise": (28, 233), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigpending": (127, 136),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "restart_syscall": (219, 128), "pause": (34, None),
    "alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101), "gettimeofday": (96, 169),
    "time": (201, None), "times": (100, 153), "getrusage": (98, 165), "getpid": (39, 172), "getppid": (110, 173),
    "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getrlimit": (97, 163), "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "getcpu": (309, 168),
    "getrandom": (318, 278), "rseq": (334, 293), "set_robust_list": (273, 99),
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip


class Checked(NamedTuple):
    """A call that is allowed if one of its arguments, under a mask, has one of these values."""

    numbers: Numbers
    argument: int  # counted from 0
    mask: int
    values: tuple[int, ...]


ALL = 0xFFFFFFFF  # of an argument that the kernel takes as 32 bits
WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | O_TMPFILE
# Without F_SETOWN and F_SETSIG, by which a pipe sends any signal to anyone, and F_SETFL, which would last.
HARMLESS = (fcntl.F_DUPFD, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_DUPFD_CLOEXEC)
CHECKED: dict[str, Checked] = {
    "openat": Checked((257, 56), 2, WRITING, (0,)),
    "open": Checked((2, None), 1, WRITING, (0,)),
    "fcntl": Checked((72, 25), 1, ALL, HARMLESS),
    "prlimit64": Checked((302, 261), 0, ALL, (0,)),  # its own limits, no other process's
    "futex": Checked((202, 98), 1, 0x7F, (0, 1, 9, 10)),  # to wait and to wake, as locks do
}
# Numbers and error, where another error than EPERM makes a caller do without, rather than give up.
REFUSED: dict[str, tuple[tuple[int, int], int]] = {
    "ioctl": ((16, 29), errno.ENOTTY),
    "clone3": ((435, 435), errno.ENOSYS),
}


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _refuse(error: int) -> bytes:
    return _instruction(RETURN, ERRNO | error)


def _case(number: int, body: list[bytes]) -> list[bytes]:
    """What to do about one call; the body returns."""
    return [_instruction(EQUAL, number, 0, len(body)), *body]


def _allowing(value: int) -> list[bytes]:
    return _case(value, [_instruction(RETURN, ALLOW)])


def program(machine: str) -> bytes:
    """The filter of a machine, such as `x86_64`."""
    column = list(MACHINES).index(machine)
    lines = [
        _instruction(LOAD, ARCHITECTURE),
        _instruction(EQUAL, MACHINES[machine], 1, 0),
        _instruction(RETURN, KILL),
        _instruction(LOAD, NUMBER),
        _instruction(AT_LEAST, X32, 0, 1),
        _instruction(RETURN, KILL),
    ]
    for numbers in CALLS.values():
        if (number := numbers[column]) is not None:
            lines += _allowing(number)
    for checked in CHECKED.values():
        if (number := checked.numbers[column]) is not None:
            body = [_instruction(LOAD, ARGUMENTS + 8 * checked.argument), _instruction(AND, checked.mask)]
            for value in checked.values:
                body += _allowing(value)
            lines += _case(number, [*body, _refuse(errno.EPERM)])
    for both, error in REFUSED.values():
        lines += _case(both[column], [_refuse(error)])
    return b"".join([*lines, _refuse(errno.EPERM)])


def restrict(filter_: bytes) -> None:
    """Put this process, which has one thread and can get no privileges, under the filter, for good."""
    lines = ctypes.create_string_buffer(filter_, len(filter_))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(filter_) // 8, ctypes.addressof(lines)))
    kernel.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.c_void_p(ctypes.addressof(head)))
