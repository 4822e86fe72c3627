"""An outbox and its model, side by side."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from hub_callbacks.outbox import Beginning, Hub, Journal, Outbox
from hub_callbacks.outbox.journal import Due
from hub_callbacks.records import Checkpoint, RunStarted
from tests.unit.outbox.model import Model, ModelItem


class ModelledOutbox(RuleBasedStateMachine):
    """What the rules work on, and what must hold after each of them."""

    outbox: Outbox
    other: Outbox

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="outbox-machine-"))
        self.crashes = itertools.count()
        self.names = (f"{number}.pt" for number in itertools.count())
        self.now = 1_000_000.0
        self.model = Model()
        self.dead: list[Outbox] = []
        self.journals: dict[str, Journal] = {}

    def teardown(self) -> None:
        for outbox in (*self.dead, self.outbox, self.other):
            outbox.close()
        shutil.rmtree(self.root)

    @invariant()
    def table_is_the_models(self) -> None:
        columns = "id, run_id, kind, state, due_at, attempts, leased_until, file"
        rows = self.outbox._database.rows(f"SELECT {columns} FROM items ORDER BY id")  # noqa: S608 - our own columns
        assert [tuple(row) for row in rows] == [
            (number, i.run_id, i.kind, i.state, i.due_at, i.attempts, i.leased_until, i.file)
            for number, i in self.model.items.items()
        ]

    @invariant()
    def counts_are_the_models(self) -> None:
        queued = self.model.queued()
        assert self.outbox.queue.pending() == len(queued)
        assert self.outbox.queue.has_work() == self.model.has_work()
        kept = [item.file for item in self.model.items.values() if item.state in {"queued", "buried"} and item.file]
        assert self.outbox.queue.spooled() == set(kept)
        for status in self.outbox.runs.list():
            own = [item for item in self.model.items.values() if item.run_id == status.id]
            rows = [item for item in own if item.kind == "metrics" and item.state != "dropped"]
            epochs = {item.epoch for item in rows}
            open_epochs = {item.epoch for item in rows if item.state != "acked"}
            assert (status.epochs_recorded, status.epochs_acknowledged) == (
                len(epochs),
                len(epochs - open_epochs),
            )
            assert status.pending == sum(item.state == "queued" for item in own)
            assert len(status.buried) == sum(item.state == "buried" for item in own)
            assert len(status.dropped) == sum(item.state == "dropped" for item in own)
            assert status.is_final_acknowledged == any(item.is_final and item.state == "acked" for item in own)

    @invariant()
    def journals_are_the_models(self) -> None:
        assert {path.name for path in self.outbox.folder.journals.glob("*.rows")} == set(self.model.journals)

    @invariant()
    def rows_and_finals_are_never_dropped(self) -> None:
        dropped = [item for item in self.model.items.values() if item.state == "dropped"]
        assert all(item.is_superseded or item.kind == "checkpoint" for item in dropped)
        assert not any(item.is_final for item in dropped)

    def draw_run(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model.runs)))

    def draw_running(self, data: st.DataObject) -> str | None:
        running = [run_id for run_id, run in sorted(self.model.runs.items()) if run.state == "running"]
        return data.draw(st.sampled_from(running)) if running else None

    def journal(self, run_id: str) -> tuple[Journal, list[ModelItem | Due]]:
        """That of the run's trainer, which is another one after a crash, and what it holds that is not taken in."""
        if run_id not in self.journals:
            record = RunStarted(name="train", epochs=3, started_at=self.now)
            beginning = Beginning(record=record, hub=Hub(), heartbeat_s=300)
            self.journals[run_id] = Journal(self.outbox.folder.journals, run_id, beginning)
        journal = self.journals[run_id]
        return journal, self.model.journals.setdefault(journal.path.name, [])

    def checkpoint(self, epoch: int, *, is_final: bool = False) -> Checkpoint:
        return Checkpoint(epoch=epoch, filename="last.pt", size_bytes=100, is_final=is_final, recorded_at=self.now)
