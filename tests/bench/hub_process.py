"""A hub in a process of its own, and a training beside it that says how it went."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEAD = "http://127.0.0.1:9"  # the discard port: nothing listens there


@dataclass(frozen=True, slots=True, kw_only=True)
class HubProcess:
    """A hub that is served, by its address, an admin's key and its process."""

    url: str
    key: str
    pid: int


@contextmanager
def serving(data_dir: Path, *options: str) -> Iterator[HubProcess]:
    """A hub for a folder that was never served, until the block ends."""
    command = [sys.executable, "-m", "hub_callbacks.server", "--data-dir", str(data_dir), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url, key = (process.stdout.readline().split()[-1] for _ in range(2))
            yield HubProcess(url=url, key=key, pid=process.pid)
        finally:
            process.terminate()


def train(folder: Path, *arguments: str, url: str, key: str, **settings: float) -> Mapping[str, Any]:
    """What ``training.py`` says of a training that delivers there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
    ours = {"API_KEY": key, "API_URL": url, "DATA_DIR": folder / "data", "CKPT_S": 0, "METRICS_S": 0, **settings}
    command = [sys.executable, str(Path(__file__).with_name("training.py")), str(folder), *arguments]
    environ = kept | {f"HUB_CALLBACKS_{name.upper()}": str(value) for name, value in ours.items()}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    said: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
