"""The processes that are killed. Each function is the whole of one process, forked from a server that did the imports.

What the imports cost is all that is saved: every process has its own connections, locks and files from its own start.
The courier is not here, for the trainer starts it as always, in an interpreter of its own.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import time
import zipfile
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.cli import main as cli
from hub_callbacks.outbox import OutboxFolder
from hub_callbacks.server.folder import Place
from hub_callbacks.server.listening import LOOPBACK
from hub_callbacks.server.serving import serve
from hub_callbacks.settings import Settings
from hub_callbacks.testing import StubTrainer
from ledger import Ledger
from plan import Plan

COURIER_START_S = 20.0


class LightTrainer(StubTrainer):
    """Trains nothing, and writes into its ledger what it has made and which callbacks have returned."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        super().__init__(folder / "train", epochs=plan.epochs, callbacks=callbacks)
        self._plan = plan
        self._ledger = Ledger(folder / "ledger.jsonl")
        self.callbacks["on_pretrain_routine_end"].append(self._on_begun)
        self.callbacks["on_fit_epoch_end"].insert(0, self._on_row)
        self.callbacks["on_fit_epoch_end"].append(self._on_row_returned)
        self.callbacks["on_model_save"].append(self._on_kept)
        self.callbacks["on_train_end"].insert(0, lambda _: self._ledger.write("is_ending"))
        self.callbacks["on_train_end"].append(lambda _: self._ledger.write("has_ended"))

    def write_checkpoint(self, path: Path) -> None:
        """Bytes that no other epoch has anywhere, so that a mixture of two would be seen."""
        content = io.BytesIO()
        rng = random.Random(f"{self._plan.seed}/{self.epoch}")
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("archive/data.pkl", rng.randbytes(self._plan.checkpoint_bytes))
        sha256 = hashlib.sha256(content.getbuffer()).hexdigest()
        self._ledger.write("saved", epoch=self.epoch, sha256=sha256)
        path.write_bytes(content.getbuffer())

    def _on_begun(self, _: StubTrainer) -> None:
        self._ledger.write("has_begun")
        courier = OutboxFolder.under(Settings.load().data_dir).courier_pid
        give_up_at = time.monotonic() + COURIER_START_S
        while self._plan.is_courier_awaited and not courier.exists() and time.monotonic() < give_up_at:
            time.sleep(0.005)

    def _on_row(self, _: StubTrainer) -> None:
        time.sleep(self._plan.gap_s)
        self.metrics = {**(self.metrics or {}), "metrics/noise": random.Random(self.epoch).random()}
        if self._is_epoch():
            row = {**self.label_loss_items(self.tloss), **self.metrics, **self.lr}
            self._ledger.write("made", epoch=self.epoch, row=row)

    def _on_row_returned(self, _: StubTrainer) -> None:
        if self._is_epoch():
            self._ledger.write("returned", epoch=self.epoch)

    def _on_kept(self, _: StubTrainer) -> None:
        self._ledger.write("kept", epoch=self.epoch)

    def _is_epoch(self) -> bool:
        """Not the validation of the best checkpoint, after the last epoch."""
        return self.epoch < self.epochs


def train(folder: Path, plan: Plan, environ: Mapping[str, str]) -> None:
    _log_to(folder / "trainer.log")
    _take(environ)
    LightTrainer(folder, plan).train()


def hub(folder: Path, port: int, ready: Connection, database_url: str = "") -> None:
    """Serve as ``hub-callbacks serve`` does, and send its announcements."""
    _log_to(folder / "hub.log")
    serve(Place(data_dir=folder / "hub", database_url=database_url), host=LOOPBACK, port=port, announce=ready.send)


def sync(folder: Path, wait_s: float, environ: Mapping[str, str]) -> None:
    _log_to(folder / "sync.log")
    _take(environ)
    cli(["sync", "--wait", str(wait_s)])


def _take(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)


def _log_to(path: Path) -> None:
    """Send both output streams there, as a shell would."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
