"""Calls of Linux that Python 3.11 lacks: small disks in a namespace of one's own, and orphans."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
READ_ONLY, REMOUNT, PRIVATE, RECURSIVE, DETACH = 1, 32, 1 << 18, 1 << 14, 2
PARENT_DIED = 1


def follow_parent() -> None:
    """Let this process be killed when its parent ends."""
    _call("prctl", PARENT_DIED, int(signal.SIGKILL), 0, 0, 0)


def own_mounts() -> None:
    """Give this process mounts of its own, which end with it; OSError without the rights."""
    _call("unshare", NEW_MOUNTS if os.geteuid() == 0 else NEW_MOUNTS | NEW_USER)
    _call("mount", b"none", b"/", None, PRIVATE | RECURSIVE, None)


def mount_disk(folder: Path, size: int) -> None:
    """Mount an empty disk of ``size`` bytes, in memory."""
    folder.mkdir(exist_ok=True)
    _call("mount", b"none", bytes(folder), b"tmpfs", 0, f"size={max(size, 4096)}".encode())


def remount_disk(folder: Path, *, size: int, read_only: bool = False) -> None:
    """Change the size of a disk, and whether it can be written."""
    flags = REMOUNT | (READ_ONLY if read_only else 0)
    _call("mount", b"none", bytes(folder), b"tmpfs", flags, f"size={size}".encode())


def pull_disk(folder: Path) -> None:
    """Take a disk away, even while files on it are open."""
    _call("umount2", bytes(folder), DETACH)


def _call(name: str, *arguments: bytes | int | None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*(_long(each) for each in arguments)):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _long(argument: bytes | int | None) -> object:
    return ctypes.c_ulong(argument) if isinstance(argument, int) else argument
