"""What a process holds, in megabytes, as Linux tells it (proc_pid_status(5))."""

from __future__ import annotations

from pathlib import Path

import psutil


def held_mb(process_id: int) -> float:
    return _line(process_id, "VmRSS")


def peak_mb(process_id: int) -> float:
    """The most that it has held, since it began or since `forget_peak`."""
    return _line(process_id, "VmHWM")


def held_together_mb(process_id: int) -> float:
    """What a process and its children hold; what they share is counted once."""
    process = psutil.Process(process_id)
    processes = [process, *process.children(recursive=True)]
    return float(sum(one.memory_full_info().pss for one in processes)) / 1e6


def forget_peak(process_id: int) -> float:
    """Let the peak begin anew (proc_pid_clear_refs(5)); what the process holds now."""
    Path(f"/proc/{process_id}/clear_refs").write_text("5")
    return held_mb(process_id)


def _line(process_id: int, name: str) -> float:
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6
