"""One round: a trainer, its courier and a hub, of which one or two are killed, and what is on the hub afterwards."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import psutil

import actors
from findings import Delivered, faults
from hub_callbacks.errors import OutboxError
from hub_callbacks.outbox import Outbox, OutboxFolder
from hubs import CouriersHub, RoundHub, ServedHub
from ledger import Account
from plan import Plan, Victim

TRAINING_S = 240.0  # it takes seconds; a starved machine, more than a minute
RECOVERY_S = 120.0
_GONE_S = 10.0
_START_S = 4.0  # what its trainer's death has not let start by then was never started
_POLL_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a round came to.

    Attributes:
        killed: Who was killed; a courier or a hub that nobody had started by then could not be.
        rows: Rows whose callback had returned.
        checkpoints: Checkpoints on the hub.
        faults: What is wrong, a line each.
    """

    plan: Plan
    killed: frozenset[Victim] = frozenset()
    rows: int = 0
    checkpoints: int = 0
    faults: tuple[str, ...]


class Round:
    """Runs one plan in a folder of its own, which is deleted when nothing is wrong.

    Args:
        plan: What happens.
        folder: Does not exist yet.
        context: The server that the processes are forked from.
    """

    def __init__(self, plan: Plan, folder: Path, context: ForkServerContext) -> None:
        self._plan = plan
        self._folder = folder
        self._context = context
        self._outbox = OutboxFolder.under(folder / "data")
        self._hub: RoundHub = CouriersHub(folder / "data") if plan.is_hub_local else ServedHub(folder, context)
        self._killed: set[Victim] = set()
        self._forked: list[ForkServerProcess] = []

    def run(self) -> Outcome:
        """Play it, look, and clean up."""
        self._folder.mkdir(parents=True)
        try:
            exitcode = self._play()
            self._recover()
            outcome = self._look(exitcode)
        except Exception as error:  # noqa: BLE001 - a round that breaks is a finding, and the sweep goes on
            outcome = Outcome(plan=self._plan, faults=(f"the round broke: {error!r}",))
        finally:
            self._clean_up()
        if not outcome.faults:
            shutil.rmtree(self._folder)
        return outcome

    def _play(self) -> int | None:
        """Train, and kill; the trainer's exit code."""
        self._hub.start()
        trainer = self._fork(actors.train, self._folder, self._plan)
        over = threading.Event()
        kills = [threading.Thread(target=self._kill, args=(*kill, trainer.pid, over)) for kill in self._plan.kills]
        for thread in kills:
            thread.start()
        # Not `join`: it reads the exit code, and so does whoever starts a hub meanwhile; the second is told 255.
        wait([trainer.sentinel], TRAINING_S)
        over.set()
        for thread in kills:
            thread.join()
        return trainer.exitcode

    def _fork(self, target: Callable[..., None], *args: object) -> ForkServerProcess:
        process = self._context.Process(target=target, args=(*args, self._environ()))
        process.start()
        self._forked.append(process)
        return process

    def _environ(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
        return {
            **kept,
            **self._hub.environ(),
            "HUB_CALLBACKS_CKPT_S": "0",
            "HUB_CALLBACKS_DATA_DIR": str(self._folder / "data"),
            "HUB_CALLBACKS_METRICS_S": str(self._plan.metrics_s),
            "HUB_CALLBACKS_WAIT_S": str(self._plan.wait_s),
        }

    def _kill(self, victim: Victim, after_s: float, trainer_id: int | None, over: threading.Event) -> None:
        seek = {"trainer": lambda: trainer_id, "courier": self._courier, "hub": self._hub.process_id}[victim]
        process_id = _seen(seek, over)
        if process_id is None:
            return
        time.sleep(after_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
            self._killed.add(victim)
        if victim == "hub":
            time.sleep(self._plan.hub_down_s)
            self._hub.start()

    def _courier(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int(self._outbox.courier_pid.read_text())
        return None

    def _recover(self) -> None:
        """Let what is left be delivered: by the courier that lives, or as a person does it.

        Raises:
            TimeoutError: Something is left.
        """
        if not self._plan.heals_alone or "courier" in self._killed or self._courier() is None:
            self._fork(actors.sync, self._folder, RECOVERY_S).join(2 * RECOVERY_S)
        give_up_at = time.monotonic() + RECOVERY_S
        while left := self._left():
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"left after {RECOVERY_S:.0f} s: {left}")
            time.sleep(_POLL_S)

    def _left(self) -> str:
        """What the outbox still has to say; nothing when no run goes on and nothing waits."""
        if not self._outbox.has_records:
            return ""
        try:
            with contextlib.closing(Outbox(self._outbox)) as outbox:
                runs = [run for run in outbox.runs.list() if run.state == "running" or run.pending]
        except OutboxError as error:
            return str(error)
        return ", ".join(f"{run.state}, {run.pending} pending: {run.left()} {run.hub}" for run in runs)

    def _look(self, exitcode: int | None) -> Outcome:
        account = Account.read(self._folder / "ledger.jsonl")
        delivered = Delivered.fetch(*self._hub.address())
        return Outcome(
            plan=self._plan,
            killed=frozenset(self._killed),
            rows=len(account.returned),
            checkpoints=len(delivered.checkpoints),
            faults=(*faults(account, delivered, exitcode), *self._unexpected()),
        )

    def _unexpected(self) -> list[str]:
        """What should not lie in the outbox: a damaged file, an error that killed a courier."""
        damaged = [f"damaged: {path.name}" for path in self._outbox.path.glob("*.damaged-*")]
        said = self._outbox.path / "courier.err"
        return damaged + ([f"courier.err: {said.read_text()}"] if said.exists() and said.stat().st_size else [])

    def _clean_up(self) -> None:
        """End every process of this round: those forked here, and the couriers, which name the round's folder."""
        for process in self._forked:
            process.kill()
            process.join()
        strays = [stray for stray in psutil.process_iter() if str(self._folder) in _command(stray)]
        for stray in strays:
            with contextlib.suppress(psutil.NoSuchProcess):
                stray.kill()
        self._hub.end()
        give_up_at = time.monotonic() + _GONE_S
        while any(_command(stray) for stray in strays) and time.monotonic() < give_up_at:
            time.sleep(_POLL_S)


def _seen(seek: Callable[[], int | None], over: threading.Event) -> int | None:
    """A process as soon as it is there; None when the training is over and it did not come."""
    alive_at = time.monotonic()
    while (found := seek()) is None and time.monotonic() - alive_at < _START_S:
        if not over.is_set():
            alive_at = time.monotonic()
        time.sleep(_POLL_S)
    return found


def _command(process: psutil.Process) -> str:
    """Its command line; empty when it is gone, or dead and waits for its parent to take note."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def forking() -> ForkServerContext:
    """A server that forks processes which have all imports done."""
    context = multiprocessing.get_context("forkserver")
    ours = [
        f"hub_callbacks.{room}" for room in ("callbacks.hub", "cli.main", "server.serving", "server.upkeep", "testing")
    ]
    context.set_forkserver_preload(["__main__", "actors", "alembic.command", *ours])
    return context
