"""The outbox against a plain model: whatever is done to it, in whatever order, with crashes in between.

After every step the whole table, and all that the outbox says of it, must be what the model says.
"""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, rule, run_state_machine_as_test

from hub_callbacks.outbox import HORIZON_S, Hub, Outbox, OutboxFolder
from hub_callbacks.outbox.journal import Due
from hub_callbacks.records import Metrics, RunFinished, RunStarted
from tests.unit.outbox.model import ModelHub, ModelItem, ModelRun
from tests.unit.outbox.modelled import ModelledOutbox

HUBS = ("", "https://hub.example")
RUNS = ("a" * 20, "b" * 20)
LEASE_S = 60.0
runs = st.sampled_from(RUNS)
hubs = st.sampled_from(HUBS)
delays = st.sampled_from([0.0, 1.0, 60.0, HORIZON_S])


class Trainers(ModelledOutbox):
    """What trainings do."""

    @rule(run_id=runs, hub=hubs, first=st.integers(0, 5))
    def start(self, run_id: str, hub: str, first: int = 0) -> None:
        record = RunStarted(name="train", epochs=3, start_epoch=first, started_at=self.now)
        key = self.model.hubs.setdefault(hub, ModelHub()).key
        self.outbox.runs.start(run_id, record, hub=Hub(api_url=hub, api_key=key), heartbeat_s=300)
        run = self.model.runs.setdefault(run_id, ModelRun(hub))
        run.is_known = run.is_known and run.hub == hub
        run.hub, run.state = hub, "running"
        for item in self.model.items.values():
            if item.run_id == run_id and item.is_superseded_from(first):
                item.state, item.leased_until, item.is_superseded = "dropped", 0.0, True
        self.model.put(ModelItem(run_id, "run_started", 0.0))

    @rule(data=st.data(), epoch=st.integers(0, 5), delay=delays)
    def put_metrics(self, data: st.DataObject, epoch: int, delay: float) -> None:
        run_id = self.draw_run(data)
        record = Metrics(epoch=epoch, values={"loss": 0.5}, recorded_at=self.now)
        self.outbox.queue.put(run_id, record, due_at=self.now + delay)
        self.model.put(ModelItem(run_id, "metrics", self.now + delay, epoch))

    @rule(data=st.data(), epoch=st.integers(0, 5), delay=delays, name=st.sampled_from(["loss", "map"]))
    def journal_row(self, data: st.DataObject, epoch: int, delay: float, name: str) -> None:
        if run_id := self.draw_running(data):
            due_at = self.now + delay
            journal, waiting = self.journal(run_id)
            journal.put_row(epoch, {name: 0.5}, recorded_at=self.now, due_at=due_at)
            waiting.append(ModelItem(run_id, "metrics", due_at, epoch))

    @rule(data=st.data())
    def journal_due(self, data: st.DataObject) -> None:
        if run_id := self.draw_running(data):
            journal, waiting = self.journal(run_id)
            journal.put_due(self.now)
            waiting.append(Due(at=self.now))

    @rule(data=st.data(), epoch=st.integers(0, 5))
    def put_final(self, data: st.DataObject, epoch: int) -> None:
        run_id, file = self.draw_run(data), next(self.names)
        self.outbox.queue.put(run_id, self.checkpoint(epoch, is_final=True), due_at=self.now, file=file)
        self.model.put(ModelItem(run_id, "checkpoint", self.now, epoch, is_final=True, file=file))

    @rule(data=st.data(), epoch=st.integers(0, 5))
    def supersede(self, data: st.DataObject, epoch: int) -> None:
        run_id, file = self.draw_run(data), next(self.names)
        old = [
            number
            for number, item in self.model.items.items()
            if item.run_id == run_id and item.may_be_dropped(self.now)
        ]
        dropped = self.outbox.queue.supersede(run_id, self.checkpoint(epoch), file=file)
        assert sorted(dropped) == sorted(self.model.items[number].file for number in old)
        self.model.settle(old, "dropped")
        self.model.put(ModelItem(run_id, "checkpoint", self.now, epoch, file=file))

    @rule()
    def drop_oldest_periodic(self) -> None:
        old = [number for number, item in self.model.items.items() if item.may_be_dropped(self.now)][:1]
        dropped = self.outbox.queue.drop_oldest_periodic(self.now, "no room")
        assert dropped == (self.model.items[old[0]].file if old else None)
        self.model.settle(old, "dropped")

    @rule(data=st.data(), epoch=st.integers(0, 5))
    def count_dropped(self, data: st.DataObject, epoch: int) -> None:
        run_id = self.draw_run(data)
        self.outbox.queue.count_dropped(run_id, self.checkpoint(epoch), "no room")
        self.model.put(ModelItem(run_id, "checkpoint", self.now, epoch, state="dropped"))

    @rule(run_id=runs)
    def make_due(self, run_id: str) -> None:
        self.outbox.queue.make_due(run_id, self.now)
        self.model.hasten(run_id, self.now)

    @rule(run_id=runs)
    def finish(self, run_id: str) -> None:
        run = self.model.runs.get(run_id)
        self.outbox.take_in()
        self.model.take_in()
        if journal := self.journals.pop(run_id, None):
            journal.close()
            journal.path.unlink()
            del self.model.journals[journal.path.name]
        is_first = self.outbox.runs.finish(run_id, RunFinished(state="finished", finished_at=self.now))
        assert is_first == (run is not None and run.state == "running")
        if run and is_first:
            run.state = "finished"
            self.model.put(ModelItem(run_id, "run_finished", self.now))
            self.model.hasten(run_id, self.now)


class Couriers(ModelledOutbox):
    """What couriers do, of which there may be two: a lease may be settled after it has ended, or twice."""

    leased = Bundle("leased")

    @rule(target=leased, files=st.booleans(), limit=st.integers(1, 4))
    def lease(self, files: bool, limit: int) -> object:
        due = [
            number
            for number, item in self.model.items.items()
            if self.model.is_leasable(item, self.now) and (item.kind == "checkpoint") == files
        ][:limit]
        items = self.outbox.queue.lease(files=files, limit=limit, now=self.now, lease_s=LEASE_S)
        for number in due:
            self.model.items[number].leased_until = self.now + LEASE_S
            self.model.items[number].attempts += 1
        assert [(item.id, item.attempts) for item in items] == [(n, self.model.items[n].attempts) for n in due]
        assert [item.record.kind for item in items] == [self.model.items[number].kind for number in due]
        return multiple(*due)

    @rule(by_another=st.booleans())
    def take_in(self, by_another: bool) -> None:
        """The courier and a command may do it, each with what it has seen of the journals."""
        (self.other if by_another else self.outbox).take_in()
        self.model.take_in()

    @rule()
    def remove_journals(self) -> None:
        self.other.remove_journals()
        for name in [name for name, waiting in self.model.journals.items() if not waiting and name in self.model.noted]:
            if self.model.runs[name.partition(".")[0]].state != "running":
                del self.model.journals[name]

    @rule(ids=st.lists(leased, max_size=3))
    def ack(self, ids: list[int]) -> None:
        self.outbox.queue.ack(ids)
        self.model.settle(ids, "acked")

    @rule(ids=st.lists(leased, max_size=3))
    def bury(self, ids: list[int]) -> None:
        self.outbox.queue.bury(ids, "422: no")
        self.model.settle(ids, "buried")

    @rule(ids=st.lists(leased, max_size=3), delay=delays)
    def retry(self, ids: list[int], delay: float) -> None:
        self.outbox.queue.retry(ids, due_at=self.now + delay, reason="503")
        for item in (self.model.items[number] for number in ids):
            if item.state == "queued":
                item.due_at, item.leased_until = self.now + delay, 0.0

    @rule(number=leased)
    def set_remote_id(self, number: int) -> None:
        run_id = self.model.items[number].run_id
        self.outbox.runs.set_remote_id(run_id, f"remote-{run_id}")
        self.model.runs[run_id].is_known = True

    @rule(hub=hubs, delay=delays, trouble=st.sampled_from(["no answer", "429", "401", "none"]))
    def hear_of(self, hub: str, delay: float, trouble: str) -> None:
        known = self.model.hubs.get(hub, ModelHub())  # of an unknown hub, nothing is noted
        if trouble == "no answer":
            self.outbox.hubs.hold(hub, until=self.now + delay, reason="refused")
            known.failures, known.retry_at = known.failures + 1, self.now + delay
        elif trouble == "429":
            self.outbox.hubs.postpone(hub, until=self.now + delay, reason="429")
            known.failures, known.retry_at = 0, self.now + delay
        elif trouble == "401":
            self.outbox.hubs.pause(hub, "401")
            known.is_paused = True
        else:
            self.outbox.hubs.release(hub, self.now)
            known.retry_at = 0.0 if known.failures else known.retry_at
            known.failures = 0


class OutboxMachine(Trainers, Couriers):
    """Two couriers and some trainers at once, a person, and a machine that crashes."""

    @initialize(is_known=st.booleans())
    def open(self, is_known: bool) -> None:
        self.outbox, self.other = (Outbox(OutboxFolder(self.root / "outbox")) for _ in range(2))
        self.start(RUNS[0], HUBS[0])
        if is_known:
            self.set_remote_id(1)

    # A person

    @rule(hub=hubs, key=st.sampled_from(["", "one", "two"]))
    def save_key(self, hub: str, key: str) -> None:
        self.outbox.hubs.save(Hub(api_url=hub, api_key=key))
        found = self.model.hubs.setdefault(hub, ModelHub(key))
        found.is_paused = found.is_paused and found.key == key
        found.key = key

    @rule()
    def sync(self) -> None:
        self.outbox.hubs.resume()
        self.outbox.queue.revive(self.now)
        for hub in self.model.hubs.values():
            hub.is_paused, hub.retry_at = False, 0.0
        for item in self.model.items.values():
            if item.state == "buried":
                item.state, item.due_at = "queued", self.now
            if item.state == "queued":
                item.due_at = min(item.due_at, self.now)

    # The machine

    @rule(seconds=st.sampled_from([1.0, 59.0, 60.0, 1000.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def set_clock_back(self) -> None:
        self.now -= 3600.0

    @rule()
    def restart_courier(self) -> None:
        self.outbox.queue.release()
        for item in self.model.queued():
            item.leased_until = 0.0

    @rule(is_writing=st.booleans(), torn_bytes=st.integers(0, 60))
    def crash(self, is_writing: bool, torn_bytes: int) -> None:
        """Go on with the files as they are at this moment, as after a kill -9; also within a transaction or a write."""
        if is_writing:
            self.outbox._database.execute("BEGIN IMMEDIATE")
            self.outbox.take_in()
            self.outbox.queue.put(RUNS[0], Metrics(epoch=9, values={}, recorded_at=0.0), due_at=0.0)
        folder = OutboxFolder(self.root / f"crash-{next(self.crashes)}")
        folder.journals.mkdir(parents=True)
        for suffix in ("", "-wal"):
            part = self.outbox.folder.database.with_name(f"outbox.db{suffix}")
            shutil.copyfile(part, folder.database.with_name(part.name))
        for path in self.outbox.folder.journals.glob("*.rows"):
            text = path.read_bytes()
            (folder.journals / path.name).write_bytes(text + text[8 : 8 + torn_bytes])  # of the first record, longer
        self.dead += [self.outbox, self.other]
        self.journals = {}
        self.outbox, self.other = Outbox(folder), Outbox(folder)
        self.model.take_in()


@pytest.mark.parametrize("examples", [40, pytest.param(2000, marks=pytest.mark.chaos)])
def test_outbox_is_as_its_model(examples: int) -> None:
    limits = settings(
        max_examples=examples,
        stateful_step_count=60,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(OutboxMachine, settings=limits)
