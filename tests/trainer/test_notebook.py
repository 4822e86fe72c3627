"""A notebook whose kernel was running before the installation."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.connect import write_connection_file

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine

WAIT_S = 120


class Kernel:
    """A running kernel, and the cells that are run in it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, cell: str) -> str:
        """Run a cell that must succeed; its output."""
        texts: list[str] = []
        reply = self._client.execute_interactive(
            cell, timeout=WAIT_S, output_hook=lambda message: texts.append(message["content"].get("text", ""))
        )
        assert reply["content"]["status"] == "ok", json.dumps(reply["content"]["traceback"])
        return "".join(texts)


def wait_for(client: Any, process: subprocess.Popen[str]) -> None:
    """Wait until a kernel answers; its client takes one that is slow to start for a dead one."""
    give_up_at = time.monotonic() + WAIT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        with suppress(RuntimeError):
            client.wait_for_ready(timeout=WAIT_S)
            return
    process.kill()
    pytest.fail(f"The kernel does not answer: {process.communicate()[0]}")


@contextmanager
def kernel_of(machine: Machine) -> Iterator[Kernel]:
    file, _ = write_connection_file(str(machine.folder / "kernel.json"))
    with machine.start(str(machine.python), "-m", "ipykernel_launcher", "-f", file) as process:
        client = BlockingKernelClient(connection_file=file)
        client.load_connection_file()
        client.start_channels()
        try:
            wait_for(client, process)
            yield Kernel(client)
        finally:
            client.stop_channels()
            process.terminate()


def test_running_kernel_needs_no_restart_when_torch_is_not_imported(fresh_machine: Machine, wheel: Path) -> None:
    with kernel_of(fresh_machine) as kernel:
        assert kernel.run("import sys, importlib.util as u; print(u.find_spec('hub_callbacks'))") == "None\n"
        fresh_machine.install(wheel)
        kernel.run(fresh_machine.script())
        fresh_machine.assert_all_delivered()


@pytest.mark.parametrize("attach", ["import hub_callbacks; hub_callbacks.install()", "%load_ext hub_callbacks"])
def test_running_kernel_is_attached_by_hand_when_ultralytics_is_imported(
    fresh_machine: Machine, wheel: Path, attach: str
) -> None:
    with kernel_of(fresh_machine) as kernel:
        kernel.run("from ultralytics import YOLO; YOLO('yolo11n.yaml')")
        fresh_machine.install(wheel)
        kernel.run(attach)
        kernel.run(fresh_machine.script())
        fresh_machine.assert_all_delivered()
