"""Reports of metrics: the short way of plain ones ends where the way of all others does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.hubs import HubServer

PLAIN, ODD = "application/json", "application/json; charset=utf-8"  # the same to HTTP, and only the first goes short
ROWS = {"0": '{"train/loss": 0.5}', "1": '{"train/loss": NaN}'}


@pytest.fixture(scope="module")
def model_id(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "reported"}})["id"])


def report(hub: HubServer, model_id: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    url = hub.url + wire.model(model_id)
    reply = requests.post(url, data=content, headers={wire.API_KEY_HEADER: hub.key, **headers}, timeout=30)
    assert reply.headers["content-type"] == "application/json"
    return reply.status_code, reply.json()


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        ({"type": "metrics", "metrics": ROWS}, {}, 200),
        ({"type": "metrics", "metrics": {}}, {}, 200),
        ({"type": "metrics", "metrics": ROWS, "more": 1}, {wire.ATTEMPT_HEADER: "5.0"}, 200),
        ({"type": "metrics", "metrics": ROWS}, {wire.ATTEMPT_HEADER: "-1"}, 422),
        ({"type": "metrics", "metrics": ROWS}, {wire.ATTEMPT_HEADER: "inf"}, 422),
        ({"type": "metrics", "metrics": ROWS}, {wire.API_KEY_HEADER: "x" * 42}, 401),
        ({"type": "metrics", "metrics": ROWS}, {wire.API_KEY_HEADER: ""}, 401),
        ({"type": "metrics", "metrics": ROWS}, {"authorization": f"Bearer {'x' * 42}"}, 401),
        ({"type": "metrics", "metrics": {"0": "[]"}}, {}, 422),
        ({"type": "metrics", "metrics": {"0": "{"}}, {wire.API_KEY_HEADER: "x" * 42}, 401),
        ({"type": "metrics", "metrics": {"x": "{}"}}, {}, 422),
        ({"type": "metrics", "metrics": {str(epoch): "{}" for epoch in range(10_001)}}, {}, 413),
        ({"type": "others", "metrics": ROWS}, {}, 422),
        (b'{"type": "metrics", "metrics": {"0": "{\\"\\ud800\\": 1}"}}', {}, 200),
        (b"no json", {}, 422),
        (b"", {}, 422),
    ],
)
def test_plain_report_is_answered_as_any_other(
    hub: HubServer, model_id: str, content: Any, headers: dict[str, str], status: int
) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    plain, odd = (report(hub, model_id, body, {"content-type": kind, **headers}) for kind in (PLAIN, ODD))
    assert plain == odd
    assert plain[0] == status


def test_plain_report_to_a_model_that_is_not_there_is_refused(hub: HubServer) -> None:
    body = json.dumps({"type": "metrics", "metrics": ROWS}).encode()
    plain, odd = (report(hub, "n" * 20, body, {"content-type": kind}) for kind in (PLAIN, ODD))
    assert plain == odd
    assert plain[0] == 404


def test_plain_report_is_there_to_be_read(hub: HubServer) -> None:
    own_id = str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "read"}})["id"])
    body = json.dumps({"type": "metrics", "metrics": ROWS}).encode()
    assert report(hub, own_id, body, {"content-type": PLAIN})[0] == 200
    assert hub.ask("GET", wire.metrics(own_id)) == [
        {"meta": {"name": "train/loss"}, "data": {"0": 0.5, "1": "NaN"}},
    ]
