"""Confines this process to its own storage and the files an interpreter needs (Landlock).

From then on the kernel enforces the rules for it and all its children (landlock(7)): other files
cannot be opened, and other processes can neither be traced nor, since Linux 6.12, signalled. The
network and sockets in the file system stay usable. Rules apply to the calling thread and its
descendants, so they are set before there is a second thread.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from ipc.endpoints import confined_run_dir
from ipc.frames.bootstrap import WorkerBoot
from workers.errors import Misconfigured, Transient
from workers.plugin import Manifest
from workers.process.loading import make_directory, manifest_of
from workers.secrets import field_at, is_reference, resolve

PR_SET_NO_NEW_PRIVS = 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
VERSION = 1  # flag of the first: return the version instead
PATH_BENEATH = 1
THREADS_END = 1.0  # seconds

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the rest is of directories
RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # how many of the rights each version knows
SCOPED = {6: 3}  # abstract sockets and signals stay within

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
WRITE = READ_FILE | WRITE_FILE | TRUNCATE
ALL = (1 << 16) - 1

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
READABLE = ("/proc", "/sys/devices/system/cpu", "/sys/devices/system/node")
# Not all of /etc: the daemon's configuration, with its secrets, may lie there.
# fmt: off
ETC = (
    "resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols",
    "hostname", "localtime", "timezone", "locale.conf", "passwd", "group", "os-release",
    "mime.types", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl", "pki", "ca-certificates",
    "ca-certificates.conf", "crypto-policies", "gnutls", "alternatives",
)
# fmt: on
# Where resolv.conf leads: rewritten by renaming, so that a rule for the file alone would not last.
RESOLVERS = ("/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/connman")
REPLACED = ("/etc/resolv.conf", "/etc/hosts")  # rewritten so, too, where nothing manages them
DEVICES = (("null", WRITE), ("zero", WRITE), ("full", WRITE), ("random", READ), ("urandom", READ))
NAMED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "TZDIR")

_libc = ctypes.CDLL(None, use_errno=True)


async def confine(boot: WorkerBoot) -> tuple[WorkerBoot, bool]:
    """Read the account's secrets, then confine this process for good.

    Returns the boot object with references to secrets resolved, and whether any of them cannot be
    read again afterwards. Raises ``Misconfigured`` if it cannot be confined, so that the account
    never runs unconfined.
    """
    version = landlock_version()
    manifest = manifest_of(boot, Manifest)
    sources = {
        reference["source"]
        for name in manifest.secrets
        if is_reference(boot.config, name) and (reference := field_at(boot.config, name))
    }
    if sources:
        boot = msgspec.structs.replace(boot, config=await _resolved(boot, manifest))
    storage, run_dir = Path(boot.storage), confined_run_dir(Path(boot.run_dir), boot.key)
    make_directory(storage / "tmp")
    make_directory(run_dir)
    places = [*_places(manifest)]
    if boot.media is not None:
        make_directory(Path(boot.media.directory))
        places += [(Path(each), READ) for each in boot.media.allow if each.startswith("/")]
    os.environ.update(HOME=str(storage), TMPDIR=str(storage / "tmp"))
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]
    tempfile.tempdir = None  # it may have been looked for already
    _must_stay_out(places, [Path(each) for each in boot.confine or ()])
    if boot.media is not None:
        places.append((Path(boot.media.directory), ALL))
    _restrict(version, [(storage, ALL), (run_dir, ALL), *places])
    return msgspec.structs.replace(boot, run_dir=str(run_dir)), not sources <= {"env"}


def check_readable() -> None:
    """Raise ``Transient`` if a needed system file was replaced by one that no rule allows.

    Name resolution would fail for ever; a new process gets a rule for the new file.
    """
    for path in REPLACED:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except PermissionError:
            raise Transient(f"{path} was replaced: a confined account must restart") from None
        except OSError:
            continue


def landlock_version() -> int:
    """Return the Landlock version of this kernel. Raises ``Misconfigured`` if it has none."""
    version: int = _libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION))
    if version < 1:
        raise Misconfigured(
            f"confine: true cannot be kept: this kernel has no Landlock"
            f" ({os.strerror(ctypes.get_errno())}; it came with Linux 5.13, and must be among the"
            " security modules of the parameter lsm=); remove confine to run without it",
            final=True,
        )
    return version


async def _resolved(boot: WorkerBoot, manifest: Manifest) -> dict[str, object]:
    """Return the configuration with secrets resolved, in a thread that ends before this returns."""
    with ThreadPoolExecutor(1) as pool:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, resolve, boot.config, manifest.secrets)


def _places(manifest: Manifest) -> Iterator[tuple[Path, int]]:
    """Yield the allowed paths other than the storage, with their access rights."""
    interpreter = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    for name in (*SYSTEM, *interpreter, *sys.path, *libraries, *_packages(manifest)):
        if name:
            yield Path(name), RUN
    for name in (*READABLE, *(f"/etc/{each}" for each in ETC), *RESOLVERS):
        yield Path(name), READ
    for name in NAMED:
        if value := os.environ.get(name):
            yield Path(value), READ
    for name, rights in DEVICES:
        yield Path("/dev", name), rights


def _packages(manifest: Manifest) -> Iterator[str]:
    """Yield the directory of a plugin's package that is outside all entries of ``sys.path``."""
    spec = importlib.util.find_spec(manifest.plugin.partition(":")[0].partition(".")[0])
    if spec is not None:
        yield from spec.submodule_search_locations or filter(None, [spec.origin])


def _must_stay_out(places: Iterable[tuple[Path, int]], hidden: Iterable[Path]) -> None:
    """Raise ``Misconfigured`` if a path that must be readable contains one that must not be."""
    for place, _ in places:
        for each in hidden:
            if each.resolve().is_relative_to(place.resolve()):
                raise Misconfigured(
                    f"confine: true cannot be kept: {each} lies in {place}, which the interpreter"
                    " of a confined account needs; move one of them",
                    final=True,
                )


def _restrict(version: int, places: Iterable[tuple[Path, int]]) -> None:
    """Restrict this process to these paths from now on. Raises ``OSError``."""
    ends = time.monotonic() + THREADS_END
    while len(os.listdir("/proc/self/task")) > 1:  # a joined one may be a moment from its end
        if time.monotonic() > ends:
            raise RuntimeError("a process that has threads already cannot be confined")
        time.sleep(0.001)
    known = (1 << max(count for since, count in RIGHTS.items() if since <= version)) - 1
    scoped = sum(bits for since, bits in SCOPED.items() if since <= version)
    attributes = struct.pack("QQQ", known, 0, scoped)
    rules = _call(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    try:
        for path, rights in places:
            _allow(rules, path, rights & known)
        _call_prctl()
        _call(RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # it is not there, or we may not go there anyway
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= OF_FILES
        rule = struct.pack("=Qi", rights, fd)
        _call(ADD_RULE, ctypes.c_int(rules), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(fd)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    return result


def _call_prctl() -> None:
    """Set PR_SET_NO_NEW_PRIVS, which Landlock requires: programs such as sudo(8) gain no rights."""
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
