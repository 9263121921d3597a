"""What a process costs: CPU time of all its threads, and its share of memory. Linux only."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that process `pid` has used so far, all threads, in seconds.

    The kernel's clock of that process is read: the sum of utime and stime of /proc/PID/stat without
    its rounding to hundredths of a second.
    """
    # CPUCLOCK_SCHED of linux/posix-timers.h, as clock_getcpuclockid(3) builds it.
    return time.clock_gettime(~pid << 3 | 2)


def pss_kib(pid: int) -> int:
    """Return the proportional set size of `pid`: its own pages, and its share of common ones."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError(f"no Pss in smaps_rollup of {pid}")


def machine() -> str:
    """Return processor, kernel and Python in one line, for the head of a results file."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    kernel, python = platform.release(), platform.python_version()
    return f"{model}, {os.cpu_count()} cores, Linux {kernel}, Python {python}"
