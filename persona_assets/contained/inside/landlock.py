"""Landlock: from now on a process reads what it is given, and neither writes, nor connects, nor signals outside.

https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from persona_assets.contained.inside import kernel

CREATE, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the numbers of the calls, the same on every machine
ASK_VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
# How many rights on files each version of the interface knows: execute, write, read, list, remove and make ...
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
NET_RIGHTS = 0b11  # bind and connect TCP, since version 4
SCOPES = 0b11  # abstract sockets and signals stay within, since version 6


def version() -> int:
    """Of the kernel's interface.

    Raises:
        OSError: the kernel has none, or it is switched off.
    """
    return kernel.call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))


def ruleset(readable: Iterable[Path], listable: Iterable[Path]) -> int:
    """A descriptor of rules: everything that this kernel can forbid is, but to read these files and folders.

    `listable` are folders of which only the names are shown.
    """
    known = version()
    files = (1 << FILE_RIGHTS[min(known, 5)]) - 1
    attributes = struct.pack("=QQQ", files, NET_RIGHTS if known >= 4 else 0, SCOPES if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    rules = kernel.call(CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    for path in readable:
        _add(rules, path, READ_FILE | READ_DIR if path.is_dir() else READ_FILE)
    for path in listable:
        _add(rules, path, READ_DIR)
    return rules


def _add(rules: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, descriptor)
        kernel.call(ADD_RULE, ctypes.c_int(rules), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def restrict(rules: int) -> None:
    """Put this process under the rules, for good."""
    kernel.call(RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
