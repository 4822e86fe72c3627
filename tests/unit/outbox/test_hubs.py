from __future__ import annotations

from hub_callbacks.outbox import Hub, Outbox
from tests.unit.outbox.items import RUN, lease, metrics


def test_hub_that_asked_for_time_gets_it_whatever_else_it_answers(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.hubs.postpone("", until=10, reason="429")
    created.hubs.release("", 9)
    assert lease(created, now=9) == []
    assert created.runs.list()[0].trouble == "429"
    assert len(lease(created, now=10)) == 1
    created.hubs.release("", 10)
    assert created.runs.list()[0].trouble == ""


def test_held_and_paused_hubs_are_left_alone(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.hubs.hold("", until=10, reason="refused")
    assert lease(created, now=9) == []
    assert created.hubs.failures("") == 1
    assert created.queue.has_work()
    created.hubs.release("", 9)
    assert created.hubs.failures("") == 0
    assert len(lease(created, now=9)) == 1
    created.queue.release()
    created.hubs.pause("", "401")
    assert lease(created) == []
    assert not created.queue.has_work()
    created.hubs.save(Hub(api_key="another"))
    assert len(lease(created)) == 1
