"""Disks that are full or may not be written, processes that fork, many trainers, checkpoints that are large."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hub_callbacks.courier.process import pid
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.testing import FaultHub, ReceivedRun
from tests.integration.processes import eventually

TIMEOUT_S = 60.0
MEGABYTE = 1 << 20
TRAINING = """
import logging, os, pathlib, resource, signal, sys
from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.testing import StubTrainer

def limit(size_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
# Arguments so long that the run's journal, which begins with them, is over the limit that its tests set.
trainer = StubTrainer(pathlib.Path(sys.argv[1]), epochs=5, callbacks=callbacks, notes="-" * 4096)
at = {}
trainer.on_epoch = lambda trainer: at.get(trainer.epoch, lambda: None)()
exec(sys.argv[2])
trainer.train()
"""


class Machine:
    """A machine on which trainings run, each in a process of its own; their courier delivers to the hub."""

    def __init__(self, folder: Path, hub: FaultHub) -> None:
        self.folder = folder
        self.hub = hub
        self.data_dir = folder / "data"
        self.outbox_folder = OutboxFolder.under(self.data_dir)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
        ours = {"API_URL": hub.url, "API_KEY": "a-key", "WAIT_S": "30", "METRICS_S": "0", "CKPT_S": "0"}
        self.environ = kept | {f"HUB_CALLBACKS_{name}": value for name, value in ours.items()}
        self.environ["HUB_CALLBACKS_DATA_DIR"] = str(self.data_dir)

    def start(self, scene: str = "", *, name: str = "train") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", TRAINING, str(self.folder / name), scene]
        return subprocess.Popen(
            command,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def train(self, scene: str = "") -> list[str]:
        """The lines that a training prints, which comes to its end."""
        with self.start(scene) as process:
            output, _ = process.communicate(timeout=2 * TIMEOUT_S)
        assert process.returncode == 0, output
        return output.splitlines()

    @property
    def run(self) -> ReceivedRun:
        """The one run that the hub knows; an empty one before."""
        return next(iter(self.hub.runs.values()), ReceivedRun(id="", creation={}))

    def status(self) -> Any:
        outbox = Outbox(self.outbox_folder)
        (status,) = outbox.runs.list()
        outbox.close()
        return status

    def clean_up(self) -> None:
        for process in psutil.process_iter(["cmdline"]):  # also a courier that is only starting
            if any(str(self.folder) in word for word in process.info["cmdline"] or ()):
                process.kill()


@pytest.fixture
def hub() -> Iterator[FaultHub]:
    with FaultHub() as hub:
        yield hub


@pytest.fixture
def machine(tmp_path: Path, hub: FaultHub) -> Iterator[Machine]:
    machine = Machine(tmp_path, hub)
    yield machine
    machine.clean_up()


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mounts a tmpfs; a test whose user may not is skipped."""
    mounted: list[Path] = []

    def do(folder: Path, options: str) -> None:
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except OSError as error:
            pytest.skip(f"no mount: {error}")
        if done.returncode:
            pytest.skip(f"may not mount: {done.stderr.decode()}")
        mounted.append(folder)

    yield do
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - the system's own


def warnings(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(("WARNING", "ERROR")) or "Traceback" in line]


def test_outbox_on_a_full_disk_takes_the_rows_when_there_is_room_again(machine: Machine) -> None:
    lines = machine.train("at.update({1: lambda: limit(4096), 3: lambda: limit(resource.RLIM_INFINITY)})")
    (warning,) = warnings(lines)
    assert "Training goes on" in warning
    assert lines[-1].startswith("INFO HUB: 5/5 epochs, best.pt acknowledged")
    assert sorted(machine.run.rows) == [0, 1, 2, 3, 4]


def test_outbox_on_a_disk_that_stays_full_lets_the_training_be(machine: Machine) -> None:
    lines = machine.train("at[1] = lambda: limit(4096)")
    (warning,) = warnings(lines)
    assert "Training goes on" in warning
    machine.hub.wait_for(lambda _: sorted(machine.run.rows) == [0])
    eventually(lambda: machine.status().state == "crashed")  # its end could not be recorded


@pytest.mark.chaos
def test_courier_whose_disk_is_full_goes_on_when_there_is_room_again(
    machine: Machine, mount: Callable[..., None]
) -> None:
    mount(machine.data_dir, "size=4m")
    machine.environ["HUB_CALLBACKS_HEARTBEAT_S"] = "0.1"
    machine.hub.trickle(interval_s=0.01, on="metrics")
    filler = machine.data_dir / "filler"
    with machine.start("at[4] = sys.stdin.readline") as process:
        machine.hub.wait_for(lambda _: machine.run.rows)  # their reply is on its way
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        beats = len(machine.run.heartbeats)
        machine.hub.wait_for(lambda _: len(machine.run.heartbeats) > beats + 20)
        machine.hub.heal()
        filler.unlink()
        output, _ = process.communicate("\n", timeout=TIMEOUT_S)
    assert output.splitlines()[-1].startswith("INFO HUB: 5/5 epochs, best.pt acknowledged")
    assert sorted(machine.run.rows) == [0, 1, 2, 3, 4]


def test_checkpoint_that_does_not_fit_is_counted_and_the_final_one_still_arrives(machine: Machine) -> None:
    scene = f"""
trainer.checkpoint_bytes = {MEGABYTE}
for event in ("on_model_save", "on_train_end"):
    trainer.callbacks[event].insert(0, lambda trainer: limit({MEGABYTE // 2}))
    trainer.callbacks[event].append(lambda trainer: limit(resource.RLIM_INFINITY))
"""
    lines = machine.train(scene)
    (warning,) = warnings(lines)
    assert "File too large" in warning
    assert lines[-1].startswith("INFO HUB: 5/5 epochs, best.pt acknowledged")
    assert [checkpoint.is_final for checkpoint in machine.run.checkpoints] == [True]
    dropped = machine.status().dropped
    assert {kind for kind, _ in dropped} == {"checkpoint"}
    assert all("File too large" in reason for _, reason in dropped)
    assert list(machine.outbox_folder.spool.iterdir()) == []


@pytest.mark.parametrize("kind", ["read-only", "a file"])
def test_data_folder_that_cannot_be_written_lets_the_training_be(
    machine: Machine, mount: Callable[..., None], kind: str
) -> None:
    if kind == "read-only":
        mount(machine.data_dir, "ro")
    else:
        machine.data_dir.write_text("not a folder", encoding="ascii")
    (warning,) = machine.train()
    assert str(machine.data_dir) in warning
    assert "Training goes on" in warning
    assert machine.hub.requests == []


def test_workers_of_a_data_loader_neither_keep_a_dead_trainer_alive_nor_close_its_outbox(machine: Machine) -> None:
    """A worker is a fork of the trainer with all that it has open: one ends in the middle, one outlives the trainer."""
    scene = """
import atexit, gc
def end():
    if not os.fork():
        gc.collect()
        atexit._run_exitfuncs()
        os._exit(0)
    os.wait()
def stay():
    if not os.fork():
        signal.pause()
at.update({1: stay, 2: end, 4: lambda: signal.raise_signal(signal.SIGKILL)})
"""
    with machine.start(scene) as process:
        assert process.wait(TIMEOUT_S) == -signal.SIGKILL
        workers = [worker for worker in psutil.process_iter(["cmdline"]) if scene in (worker.info["cmdline"] or ())]
        assert len(workers) == 1
        machine.hub.wait_for(lambda _: sorted(machine.run.rows) == [0, 1, 2, 3])
        machine.hub.wait_for(lambda _: [state["state"] for state in machine.run.states] == ["crashed"])
        workers[0].kill()


def test_eight_trainers_share_one_outbox_and_one_courier(machine: Machine) -> None:
    trainings = [machine.start(name=f"train{number}") for number in range(8)]
    couriers: set[int | None] = set()
    for training in trainings:
        while training.poll() is None:
            couriers.add(pid(machine.outbox_folder))
            time.sleep(0.05)
    outputs = [training.communicate()[0].splitlines() for training in trainings]
    assert [warnings(lines) for lines in outputs] == [[]] * 8
    assert all(lines[-1].startswith("INFO HUB: 5/5 epochs, best.pt acknowledged") for lines in outputs)
    assert len(couriers - {None}) == 1
    assert [sorted(run.rows) for run in machine.hub.runs.values()] == [[0, 1, 2, 3, 4]] * 8


MEMORY = """
def kilobytes(key):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))
def swell(trainer):
    if trainer.epoch == 4:
        print("ready", flush=True)
        with trainer.last.open("r+b") as file:
            file.truncate(int(sys.stdin.readline()))
        trainer.before = kilobytes("VmRSS")
def weigh(trainer):
    if trainer.epoch == 4:
        print(kilobytes("VmHWM") - trainer.before, flush=True)
trainer.callbacks["on_model_save"].insert(0, swell)
trainer.callbacks["on_model_save"].append(weigh)
"""


def courier_kilobytes(machine: Machine, key: str) -> int:
    lines = Path(f"/proc/{pid(machine.outbox_folder)}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process' memory stands in /proc")
@pytest.mark.parametrize("size_bytes", [64 * MEGABYTE, pytest.param(2048 * MEGABYTE, marks=pytest.mark.chaos)])
def test_memory_does_not_grow_with_a_checkpoint(machine: Machine, size_bytes: int) -> None:
    with machine.start(MEMORY) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            pass
        machine.hub.wait_for(lambda _: machine.run.checkpoints and sorted(machine.run.rows) == [0, 1, 2, 3])
        before = courier_kilobytes(machine, "VmRSS")
        process.stdin.write(f"{size_bytes}\n")
        process.stdin.flush()
        trainers_growth = int(process.stdout.readline())
        machine.hub.wait_for(
            lambda _: any(checkpoint.size_bytes == size_bytes for checkpoint in machine.run.checkpoints), timeout_s=500
        )
        couriers_growth = courier_kilobytes(machine, "VmHWM") - before
        process.communicate(timeout=TIMEOUT_S)
    assert max(trainers_growth, couriers_growth) <= 16 * 1024
