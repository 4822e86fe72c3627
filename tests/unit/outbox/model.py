"""What an outbox should hold, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub_callbacks.outbox import HORIZON_S
from hub_callbacks.outbox.journal import Due


@dataclass(slots=True)
class ModelItem:
    run_id: str
    kind: str
    due_at: float
    epoch: int | None = None
    is_final: bool = False
    file: str = ""
    state: str = "queued"
    attempts: int = 0
    leased_until: float = 0.0
    is_superseded: bool = False

    def is_superseded_from(self, first: int) -> bool:
        """Whether a training that begins at that epoch does again what this is about."""
        is_periodic = self.kind == "checkpoint" and self.state == "queued" and not self.is_final
        return (self.kind == "metrics" or is_periodic) and self.epoch is not None and self.epoch >= first

    def may_be_dropped(self, now: float) -> bool:
        is_periodic = self.kind == "checkpoint" and not self.is_final
        return is_periodic and self.state == "queued" and self.leased_until <= now


@dataclass(slots=True)
class ModelRun:
    hub: str
    is_known: bool = False
    state: str = "running"


@dataclass(slots=True)
class ModelHub:
    key: str = ""
    is_paused: bool = False
    failures: int = 0
    retry_at: float = 0.0


@dataclass(slots=True)
class Model:
    """What the outbox should hold; items have the ids 1, 2, 3 ... in the order in which they came."""

    items: dict[int, ModelItem] = field(default_factory=dict)
    journals: dict[str, list[ModelItem | Due]] = field(default_factory=dict)  # file to what is not yet taken in
    noted: set[str] = field(default_factory=set)  # files that were taken in once
    runs: dict[str, ModelRun] = field(default_factory=dict)
    hubs: dict[str, ModelHub] = field(default_factory=dict)

    def put(self, item: ModelItem) -> None:
        self.items[len(self.items) + 1] = item

    def take_in(self) -> None:
        for name in sorted(self.journals):
            for entry in self.journals[name]:
                if isinstance(entry, Due):
                    self.hasten(name.partition(".")[0], entry.at)
                else:
                    self.put(entry)
            self.journals[name] = []
            self.noted.add(name)

    def hasten(self, run_id: str, now: float) -> None:
        for item in self.queued():
            if item.run_id == run_id and item.attempts == 0:
                item.due_at = min(item.due_at, now)

    def queued(self) -> list[ModelItem]:
        return [item for item in self.items.values() if item.state == "queued"]

    def settle(self, ids: list[int], state: str) -> None:
        for number in ids:
            if self.items[number].state == "queued":
                self.items[number].state, self.items[number].leased_until = state, 0.0

    def is_leasable(self, item: ModelItem, now: float) -> bool:
        run = self.runs[item.run_id]
        hub = self.hubs[run.hub]
        return (
            item.state == "queued"
            and not hub.is_paused
            and item.leased_until <= now
            and all(not now < at <= now + HORIZON_S for at in (item.due_at, hub.retry_at))
            and (item.kind == "run_started" or run.is_known)
            and not self.waits_for_its_beginning(item)
        )

    def waits_for_its_beginning(self, item: ModelItem) -> bool:
        """Whether its run has a beginning before it that the hub has not heard of."""
        for other in self.queued():
            if other is item:
                return False
            if other.run_id == item.run_id and other.kind == "run_started":
                return True
        return False

    def has_work(self) -> bool:
        open_runs = {item.run_id for item in self.queued() if item.kind == "run_started"}
        return any(
            not self.hubs[self.runs[item.run_id].hub].is_paused
            and (self.runs[item.run_id].is_known or item.run_id in open_runs)
            for item in self.queued()
        )
