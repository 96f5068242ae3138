"""The C library's door to the kernel, for what Python has no function for."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
CAPABILITY_VERSION = 0x20080522  # of the interface that takes 64 bits
CAPSET = {"x86_64": 126, "aarch64": 91}

_libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: object) -> int:
    """A system call.

    Raises:
        OSError: the kernel refuses.
    """
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: int | ctypes.c_void_p) -> None:
    """Change something about this process. Always five arguments, as the kernel refuses rubbish in unused ones.

    Raises:
        OSError: the kernel refuses.
    """
    full = [*arguments, 0, 0, 0, 0][:4]
    values = [value if isinstance(value, ctypes.c_void_p) else ctypes.c_ulong(value) for value in full]
    _checked(_libc.prctl(ctypes.c_int(option), *values))


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def give_up_privileges() -> None:
    """No capability, none ever again, and nobody may look into this process; holds for all that it forks."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    call(CAPSET[os.uname().machine], header, (ctypes.c_uint32 * 6)())
    prctl(PR_SET_DUMPABLE, 0)


def die_with_parent(parent: int) -> None:
    """End when the parent does, now if it already has."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
