"""What a hub says that it can, and what is sent to one that does not say it."""

from __future__ import annotations

from typing import Any

import pytest

from hub_callbacks.courier.deliver import BACKOFF_CAP_S, Delivery
from hub_callbacks.outbox import Outbox
from hub_callbacks.records import RunFinished, Summary
from tests.unit.courier.deliveries import INFO, NOW, RUN, deliver, put_rows


@pytest.mark.parametrize("status", [400, 403, 422])
def test_refusal_to_say_what_the_hub_can_is_no_plain_hub_v1(
    run: Outbox, delivery: Delivery, script: Any, status: int
) -> None:
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    script.will_answer(status)
    deliver(run, delivery)
    ((kind, reason),) = run.runs.list()[0].buried
    assert kind == "run_finished"
    assert str(status) in reason
    run.queue.revive(NOW)
    script.will_answer(200, INFO)
    script.will_answer(200, {})
    deliver(run, delivery)
    assert run.runs.list()[0].pending == 0


def test_plain_hub_v1_is_spared_our_extensions(run: Outbox, delivery: Delivery, script: Any) -> None:
    run.queue.put(RUN, Summary(values={"mAP": 1.0}, recorded_at=0), due_at=0)
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    script.will_answer(404)
    script.will_answer(404)
    deliver(run, delivery)
    assert [path for _, path, _ in script.heard] == ["/v1/hub", "/v1/hub"]
    assert run.runs.list()[0].pending == 0


def test_end_waits_while_only_a_gateway_says_what_the_hub_can(run: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(run, 1)
    run.queue.put(RUN, Summary(values={"mAP": 1.0}, recorded_at=0), due_at=0)
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    gateway = b"<h1>nginx</h1>"
    for status, body in ((404, gateway), (200, None), (404, gateway), (404, gateway)):
        script.will_answer(status, body)
    deliver(run, delivery)
    standing = run.runs.list()[0]
    assert (standing.epochs_acknowledged, standing.pending, standing.buried) == (1, 2, ())
    assert "/v1/hub" in standing.trouble
    for data in (INFO, {}, {}):
        script.will_answer(200, data)
    deliver(run, delivery, now=NOW + BACKOFF_CAP_S)
    assert [path for _, path, _ in script.heard][-2:] == ["/v1/models/remote", "/v1/models/remote/state"]
    assert run.runs.list()[0].pending == 0


def test_gateway_that_says_404_for_a_while_makes_no_plain_hub_v1(run: Outbox, delivery: Delivery, script: Any) -> None:
    script.will_answer(404)
    script.will_answer(404)
    put_rows(run, 1)
    deliver(run, delivery)
    assert len(run.runs.list()[0].buried) == 1
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    script.will_answer(200, INFO)
    script.will_answer(200, {})
    deliver(run, delivery)
    assert [path for _, path, _ in script.heard][2:] == ["/v1/hub", "/v1/models/remote/state"]
