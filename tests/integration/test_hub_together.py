"""Reports that come at the same moment, which the hub takes together."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer

EACH, EPOCHS = 4, 5
GOOD = json.dumps({"train/loss": 0.5})


@dataclass(frozen=True)
class Sender:
    """Somebody who reports, and what they are to be told."""

    key: str
    model_id: str
    expected: int
    row: str = GOOD


def new_model(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "one of many"}})["id"])


def key_of(hub: HubServer, role: str) -> str:
    user_id = hub.ask("POST", wire.USERS, json={"role": role})["id"]
    return str(hub.ask("POST", wire.KEYS, json={"userId": user_id})["key"])


def revoked_key(hub: HubServer) -> str:
    made = hub.ask("POST", wire.KEYS, json={})
    hub.ask("DELETE", f"{wire.KEYS}/{made['id']}")
    return str(made["key"])


def senders(hub: HubServer) -> list[Sender]:
    viewer, revoked = key_of(hub, "viewer"), revoked_key(hub)
    return [
        *(Sender(hub.key, new_model(hub), 200) for _ in range(EACH)),
        *(Sender(revoked, new_model(hub), 401) for _ in range(EACH)),
        *(Sender(wire.new_key(), new_model(hub), 401) for _ in range(EACH)),
        *(Sender(viewer, new_model(hub), 403) for _ in range(EACH)),
        *(Sender(hub.key, wire.new_id(), 404) for _ in range(EACH)),
        *(Sender(hub.key, new_model(hub), 422, row="[]") for _ in range(EACH)),
    ]


def test_reports_of_one_moment_each_get_their_own_answer(hub: HubServer) -> None:
    everybody = senders(hub)
    together = threading.Barrier(len(everybody))

    def report(sender: Sender) -> Counter[int]:
        statuses: Counter[int] = Counter()
        with requests.Session() as session:
            session.headers[wire.API_KEY_HEADER] = sender.key
            for epoch in range(EPOCHS):
                together.wait(60)
                body = {"type": "metrics", "metrics": {str(epoch): sender.row}}
                statuses[session.post(hub.url + wire.model(sender.model_id), json=body, timeout=60).status_code] += 1
        return statuses

    with ThreadPoolExecutor(len(everybody)) as pool:
        told = list(pool.map(report, everybody))
    assert told == [Counter({sender.expected: EPOCHS}) for sender in everybody]
    for sender in everybody:
        if sender.expected != 404:
            (*series,) = hub.ask("GET", wire.metrics(sender.model_id))
            epochs = {epoch for one in series for epoch in one["data"]}
            assert len(epochs) == (EPOCHS if sender.expected == 200 else 0)


def test_name_that_the_store_cannot_keep_takes_none_with_it(hub: HubServer) -> None:
    model_ids = [*(new_model(hub) for _ in range(EACH)), *["%00" * 20] * EACH]
    together = threading.Barrier(len(model_ids))

    def beat(model_id: str) -> int:
        together.wait(60)
        return hub.send("POST", wire.heartbeat(model_id), json={"agent": "a"}).status_code

    with ThreadPoolExecutor(len(model_ids)) as pool:
        told = list(pool.map(beat, model_ids))
    assert told[:EACH] == [200] * EACH
    assert set(told[EACH:]) <= {404, 422}
