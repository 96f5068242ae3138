"""Programs that try to get out, each with what it tries. One that succeeds says so by printing ESCAPED."""

import os
from dataclasses import dataclass

# Of system calls that the C library has no function for, by machine; those from 424 on are the same everywhere.
NUMBERS = {
    "x86_64": {"bpf": 321, "perf_event_open": 298, "add_key": 248, "userfaultfd": 323, "kexec": 246, "clone": 56},
    "aarch64": {"bpf": 280, "perf_event_open": 241, "add_key": 217, "userfaultfd": 282, "kexec": 104, "clone": 220},
}
PRELUDE = """
import ctypes, os, signal, socket, sys, time
FOLDER, TCP, UDP, ABSTRACT, VICTIM, NR = {folder!r}, {tcp}, {udp}, {abstract!r}, {victim}, {numbers}
CANARY, SECRET = FOLDER + "/canary", FOLDER + "/secret"
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def raw(number, *arguments):
    return check(libc.syscall(ctypes.c_long(number), *arguments))
def escaped():
    os.write(1, b"ESCAPED")
"""


@dataclass(frozen=True)
class Hostile:
    """`outcome` is how it ends; `control` that, uncontained, it escapes, and does nothing but to what the test has."""

    name: str
    source: str
    outcome: str = "error"
    control: bool = False


def source_of(one: Hostile, **world: object) -> str:
    return PRELUDE.format(numbers=NUMBERS[os.uname().machine], **world) + one.source


FILES = [
    Hostile("writes a file", "open(CANARY, 'w').write('x'); escaped()", control=True),
    Hostile("appends to a file", "open(SECRET, 'a').write('x'); escaped()", control=True),
    Hostile("truncates a file that it opens to read", "os.open(SECRET, os.O_RDONLY | os.O_TRUNC); escaped()", control=True),
    Hostile("truncates a file by name", "os.truncate(SECRET, 0); escaped()", control=True),
    Hostile("removes a file", "os.unlink(SECRET); escaped()", control=True),
    Hostile("renames a file", "os.rename(SECRET, CANARY); escaped()", control=True),
    Hostile("makes a folder", "os.mkdir(CANARY); escaped()", control=True),
    Hostile("makes a symbolic link", "os.symlink('/', CANARY); escaped()", control=True),
    Hostile("makes a hard link", "os.link(SECRET, CANARY); escaped()", control=True),
    Hostile("makes a pipe with a name", "os.mkfifo(CANARY); escaped()", control=True),
    Hostile("makes a device", "os.mknod(CANARY, 0o20666, os.makedev(1, 3)); escaped()"),
    Hostile("makes a file without a name", "os.open(FOLDER, os.O_TMPFILE | os.O_RDWR); escaped()"),
    Hostile("changes a mode", "os.chmod(SECRET, 0o777); escaped()", control=True),
    Hostile("changes a time", "os.utime(SECRET, (0, 0)); escaped()", control=True),
    Hostile("changes an attribute", "os.setxattr(SECRET, 'user.x', b'x'); escaped()"),
    Hostile("writes by the C library", "check(libc.open(CANARY.encode(), os.O_CREAT | os.O_WRONLY, 0o666)); escaped()", control=True),
    Hostile("writes by openat2", "how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_WRONLY, 0o666, 0)\nraw(437, ctypes.c_long(-100), CANARY.encode(), how, ctypes.c_long(24)); escaped()", control=True),
    Hostile("writes to the standard library", "open(os.__file__, 'r+b'); escaped()"),
    Hostile("makes a temporary file", "import tempfile; tempfile.TemporaryFile(); escaped()", control=True),
    Hostile("reads a file", "print(open(SECRET).read()); escaped()", control=True),
    Hostile("lists a folder", "print(os.listdir(FOLDER)); escaped()", control=True),
    Hostile("lists the root", "escaped() if 'sys' in os.listdir('/') else 1/0", control=True),
    Hostile("reads the users", "open('/etc/passwd').read(); escaped()", control=True),
    Hostile("goes to a folder first", "os.chdir(FOLDER); print(open('secret').read()); escaped()", control=True),
    Hostile("reads by a path through the standard library", "print(open(os.path.dirname(os.__file__) + '/..' * 40 + SECRET).read()); escaped()", control=True),
    Hostile("reads by a handle, as root may", "handle, mount = (ctypes.c_uint32 * 40)(128), ctypes.c_int()\ncheck(libc.name_to_handle_at(-100, SECRET.encode(), handle, ctypes.byref(mount), 0)); escaped()"),
    Hostile("reads an installed package that is not allowed", "import polars; escaped()"),
    Hostile("reads where a link leads", "print(os.readlink('/proc/self/exe')); escaped()", control=True),
]  # fmt: skip
PROC = [
    Hostile("reads its environment", "print(open('/proc/self/environ').read()); escaped()", control=True),
    Hostile("has an environment", "print(os.environ); escaped() if os.environ else 1/0", control=True),
    Hostile("asks for the name of the machine", "os.uname(); escaped()", control=True),
    Hostile("asks for the name in another way", "socket.gethostname(); escaped()", control=True),
    Hostile("reads its memory as a file", "open('/proc/self/mem', 'r+b'); escaped()", control=True),
    Hostile("reads its parent's environment", "open(f'/proc/{os.getppid()}/environ').read(); escaped()"),
    Hostile("reads its parent's memory", "open(f'/proc/{os.getppid()}/mem', 'rb'); escaped()"),
    Hostile("reads its parent's command", "open(f'/proc/{os.getppid()}/cmdline').read(); escaped()"),
    Hostile("reads the first process", "open('/proc/1/cmdline').read(); escaped()"),
    Hostile("reads another's environment", "open(f'/proc/{VICTIM}/environ').read(); escaped()", control=True),
    Hostile("lists processes", "print(os.listdir('/proc')); escaped()", control=True),
    Hostile("sets the kernel's parameters", "open('/proc/sys/kernel/hostname', 'w'); escaped()"),
    Hostile("follows its parent's descriptors", "os.open(f'/proc/{os.getppid()}/fd/0', os.O_RDONLY); escaped()"),
]  # fmt: skip
PROCESSES = [
    Hostile("a fork bomb", "while True: os.fork(); escaped()"),
    Hostile("forks", "os.fork() or os._exit(0); escaped()", control=True),
    Hostile("forks with another call", "pid = os.forkpty()[0]\nif not pid: os._exit(0)\nescaped()"),
    Hostile("forks by clone", "pid = raw(NR['clone'], ctypes.c_long(17), None, None, None, None)\nif not pid: os._exit(0)\nescaped()", control=True),
    Hostile("forks by clone3", "pid = raw(435, (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17), ctypes.c_long(64))\nif not pid: os._exit(0)\nescaped()", control=True),
    Hostile("starts a thread", "import threading; threading.Thread(target=escaped).start()", control=True),
    Hostile("runs a command", "import subprocess; subprocess.run(['touch', CANARY], check=True); escaped()", control=True),
    Hostile("runs a shell", "if os.system(f'touch {CANARY}') != 0: raise OSError\nescaped()", control=True),
    Hostile("spawns a command", "os.posix_spawn(sys.executable, ['x', '-V'], {}); escaped()", control=True),
    Hostile("becomes a command", "os.execv('/bin/sh', ['sh', '-c', 'echo ESCAPED'])", control=True),
    Hostile("runs a file of its memory", "fd = os.memfd_create('x'); escaped()", control=True),
    Hostile("runs in a pool", "import multiprocessing; multiprocessing.Pool(1); escaped()"),
    Hostile("forks by the 32-bit calls", "import mmap\nm = mmap.mmap(-1, 4096, prot=7); m.write(bytes.fromhex('b802000000cd80c3'))\nctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\nescaped()", "killed"),
    Hostile("makes calls by the x32 table", "raw(0x40000000 | 57); escaped()", "killed"),
]  # fmt: skip
OTHERS = [
    Hostile("kills its parent", "os.kill(os.getppid(), signal.SIGKILL); escaped()"),
    Hostile("stops its parent", "os.kill(os.getppid(), signal.SIGSTOP); escaped()"),
    Hostile("kills everyone", "os.kill(-1, 0); escaped()"),
    Hostile("kills another", "os.kill(VICTIM, signal.SIGTERM); escaped()", control=True),
    Hostile("kills another's thread", "check(libc.tgkill(VICTIM, VICTIM, 15)); escaped()", control=True),
    Hostile("kills another by a queue", "check(libc.sigqueue(VICTIM, 15, None)); escaped()", control=True),
    Hostile("opens another", "os.pidfd_open(VICTIM); escaped()", control=True),
    Hostile("signals another by a handle", "raw(424, ctypes.c_int(1), 15, None, 0); escaped()"),
    Hostile("lets a pipe kill its parent", "import fcntl; fcntl.fcntl(1, 8, os.getppid()); escaped()"),
    Hostile("chooses the signal of a pipe", "import fcntl; fcntl.fcntl(1, 10, signal.SIGKILL); escaped()"),
    Hostile("traces another", "libc.ptrace.restype = ctypes.c_long; check(libc.ptrace(0x4206, VICTIM, None, None)); escaped()", control=True),
    Hostile("reads another's memory", "v = (ctypes.c_uint64 * 2)(); check(libc.process_vm_readv(VICTIM, v, 0, v, 0, 0)); escaped()", control=True),
    Hostile("writes its parent's memory", "v = (ctypes.c_uint64 * 2)(); check(libc.process_vm_writev(os.getppid(), v, 0, v, 0, 0)); escaped()"),
    Hostile("takes another's descriptor", "raw(438, ctypes.c_int(3), 0, 0); escaped()"),
    Hostile("limits its parent", "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1)); escaped()"),
    Hostile("hurries ahead of others", "os.setpriority(os.PRIO_PROCESS, 0, -20); escaped()"),
    Hostile("slows another", "os.setpriority(os.PRIO_PROCESS, VICTIM, 1); escaped()", control=True),
    Hostile("moves another to one core", "os.sched_setaffinity(VICTIM, {0}); escaped()"),
    Hostile("writes to descriptors that it was not given", "import contextlib\nfor fd in range(4, 2000):\n    with contextlib.suppress(OSError):\n        os.write(fd, b'x'); escaped()\n1/0"),
]  # fmt: skip
NETWORK = [
    Hostile("connects", "socket.create_connection(('127.0.0.1', TCP), 2); escaped()", control=True),
    Hostile("asks a server", "import urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{TCP}/', timeout=1); escaped()"),
    Hostile("sends a datagram", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', UDP)); escaped()", control=True),
    Hostile("connects to a socket with a path", "socket.socket(socket.AF_UNIX).connect(FOLDER + '/socket'); escaped()", control=True),
    Hostile("connects to a socket without one", "socket.socket(socket.AF_UNIX).connect(ABSTRACT); escaped()", control=True),
    Hostile("sends from one end of a pair", "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', ABSTRACT); escaped()"),
    Hostile("listens", "socket.create_server(('127.0.0.1', 0)); escaped()", control=True),
    Hostile("resolves a name", "socket.getaddrinfo('localhost', 80); escaped()"),
    Hostile("speaks to the kernel", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); escaped()", control=True),
    Hostile("sends raw packets", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW); escaped()"),
    Hostile("makes a socket by the C library", "check(libc.socket(2, 1, 0)); escaped()", control=True),
    Hostile("makes a socket of a virtual machine", "socket.socket(40, socket.SOCK_STREAM); escaped()"),
    Hostile("makes a ring of calls", "raw(425, ctypes.c_long(1), (ctypes.c_uint32 * 30)()); escaped()"),
]  # fmt: skip
KERNEL = [
    Hostile("mounts", "check(libc.mount(b'none', FOLDER.encode(), b'tmpfs', 0, None)); escaped()"),
    Hostile("mounts in the new way", "raw(430, b'tmpfs', 0); escaped()"),
    Hostile("leaves for another namespace", "check(libc.unshare(0x10000000)); escaped()"),
    Hostile("enters a namespace", "check(libc.setns(1, 0)); escaped()"),
    Hostile("changes its root", "os.chroot(FOLDER); escaped()"),
    Hostile("loads a filter into the kernel", "raw(NR['bpf'], 0, (ctypes.c_uint64 * 16)(), 128); escaped()"),
    Hostile("measures the kernel", "raw(NR['perf_event_open'], (ctypes.c_uint32 * 32)(1, 128), 0, -1, -1, 0); escaped()"),
    Hostile("keeps a key", "raw(NR['add_key'], b'user', b'x', b'x', ctypes.c_long(1), ctypes.c_long(-3)); escaped()"),
    Hostile("handles page faults", "raw(NR['userfaultfd'], 0); escaped()"),
    Hostile("loads another kernel", "raw(NR['kexec'], 0, 0, None, 0); escaped()"),
    Hostile("names the machine", "check(libc.sethostname(b'x', 1)); escaped()"),
    Hostile("sets the clock", "time.clock_settime(0, time.time()); escaped()"),
    Hostile("becomes another user", "os.setuid(65534); escaped()"),
    Hostile("goes from under the filter", "check(libc.prctl(22, 0, 0, 0, 0)); escaped()"),
    Hostile("outlives its parent", "check(libc.prctl(1, 0, 0, 0, 0)); escaped()"),
    Hostile("lets others look into it", "check(libc.prctl(4, 1, 0, 0, 0)); escaped()"),
    Hostile("asks for its capabilities", "check(libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())); escaped()"),
    Hostile("raises its limits", "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); escaped()"),
    Hostile("locks memory", "check(libc.mlockall(3)); escaped()"),
]  # fmt: skip
RESOURCES = [
    Hostile("runs without end", "while True: pass", "timeout"),
    Hostile("sleeps without end", "time.sleep(1e6)", "timeout"),
    Hostile("sleeps in the C library", "libc.sleep(100000)", "timeout"),
    Hostile("ignores every signal and runs on", "for one in range(1, 65):\n    try: signal.signal(one, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass", "timeout"),
    Hostile("catches every error and runs on", "while True:\n    try:\n        while True: pass\n    except BaseException: pass", "timeout"),
    Hostile("counts where Python cannot be interrupted", "sum(range(10 ** 13))", "timeout"),
    Hostile("asks a pattern that never ends", "import re; re.match('(a+)+b', 'a' * 64)", "timeout"),
    Hostile("closes its pipes and runs on", "for fd in range(64):\n    try: os.close(fd)\n    except OSError: pass\nwhile True: pass", "timeout"),
    Hostile("takes 10 GB", "x = bytearray(10 * 10 ** 9); escaped()", "memory"),
    Hostile("takes 10 GB piece by piece", "x = []\nwhile len(x) < 10_000: x.append(b'x' * 10 ** 6)\nescaped()", "memory"),
    Hostile("takes 10 GB in shared memory", "import mmap; m = mmap.mmap(-1, 10 * 10 ** 9); escaped()"),
    Hostile("takes 10 GB by numpy", "import numpy; numpy.ones(10 ** 10, 'u1'); escaped()", "memory"),
    Hostile("takes 10 GB by the C library", "libc.malloc.restype = ctypes.c_void_p\nif not libc.malloc(ctypes.c_size_t(10 ** 10)): raise MemoryError\nescaped()", "memory"),
    Hostile("prints 1 GB", "for _ in range(10 ** 6): print('x' * 1000)\nescaped()", "output"),
    Hostile("prints 1 GB at once", "print('x' * 10 ** 9); escaped()", "memory"),
    Hostile("writes 1 GB to its output", "for _ in range(10 ** 4): os.write(1, b'x' * 10 ** 5)\nescaped()", "output"),
    Hostile("reports 1 GB", "for _ in range(10 ** 4): os.write(3, b'x' * 10 ** 5)\nescaped()", "output"),
    Hostile("writes 1 GB to its errors", "for _ in range(10 ** 4): os.write(2, b'x' * 10 ** 5)\n1/0"),
    Hostile("nests without end", "def f(): f()\nf()"),
    Hostile("opens without end", "while True: os.dup(1)"),
    Hostile("crashes", "ctypes.string_at(0)", "killed"),
    Hostile("jumps to an end without a report", "os._exit(0)"),
    Hostile("compiles what has no end", "exec('(' * 10 ** 5)"),
]  # fmt: skip
ALL = FILES + PROC + PROCESSES + OTHERS + NETWORK + KERNEL + RESOURCES
