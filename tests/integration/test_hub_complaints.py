"""What a client is told whose request is not what it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer

STATE = wire.state("m" * 20)


@pytest.fixture(scope="module", autouse=True)
def _model(hub: HubServer) -> None:
    hub.ask("POST", wire.MODELS, json={"id": "m" * 20})


def told(hub: HubServer, method: str, path: str, **options: Any) -> str:
    reply = hub.send(method, path, **options)
    assert (reply.status_code, reply.json()["success"]) == (422, False)
    return str(reply.json()["message"])


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (
            wire.MODELS,
            {"projectId": "x/y"},
            "The field 'projectId' must be an ID, which has 20 letters and digits, not 'x/y'.",
        ),
        (wire.MODELS, {"meta": 7}, "The field 'meta' must be an object, not 7."),
        (wire.MODELS, {"isPublic": "yes"}, "The field 'isPublic' must be true or false, not 'yes'."),
        (wire.MODELS, {"run": {"epochs": -1}}, "The field 'run.epochs' must be 0 or more, not -1."),
        (
            wire.MODELS,
            {"run": {"epochs": 2**40}},
            "The field 'run.epochs' must be 2147483647 or less, not 1099511627776.",
        ),
        (wire.MODELS, {"run": {"startedAt": False}}, "The field 'run.startedAt' must be a number, not false."),
        (
            wire.MODELS,
            {"summary": {"map": "x"}},
            "The field 'summary.map' must be a number or 'NaN', 'Infinity' or '-Infinity', not 'x'.",
        ),
        (wire.MODELS, [], "The body must be an object."),
        (STATE, {}, "The field 'state' is missing."),
        (
            STATE,
            {"state": "failed", "at": None, "reason": "x" * 3000},
            "The field 'reason' must be 2000 characters long at most.",
        ),
        (wire.USERS, {"email": "x"}, "The field 'email' must be an e-mail address, not 'x'."),
    ],
)
def test_client_is_told_what_to_send(hub: HubServer, path: str, body: Any, message: str) -> None:
    assert told(hub, "POST", path, json=body) == message


def test_client_is_told_of_each_thing_that_is_wrong(hub: HubServer) -> None:
    message = told(hub, "GET", wire.MODELS, params={"limit": "x", "last_doc_id": "y", "page": -1})
    assert message == (
        "The parameter 'limit' must be a whole number, not 'x'. The parameter 'last_doc_id' must be the lastRecordId of"
        " the page before, not 'y'. The parameter 'page' must be 0 or more, not '-1'."
    )
    assert told(hub, "GET", wire.RUNS, params={"page": "1.0"}) == (
        "The parameter 'page' must be a whole number, not '1.0'."
    )
    assert told(hub, "POST", STATE, json={"state": "new"}, headers={wire.ATTEMPT_HEADER: "x"}).startswith(
        "The header 'hub-callbacks-attempt' must be a number, not 'x'. The field 'state' must be 'running', "
    )


def test_body_that_is_no_json_is_named_as_such(hub: HubServer) -> None:
    headers = {"content-type": "application/json"}
    assert told(hub, "POST", wire.MODELS, data=b'{"meta": }', headers=headers).startswith(
        "The body is no JSON, from character 9 on: "
    )
    assert told(hub, "POST", wire.MODELS) == "The request has no body: send a JSON object."


def test_secrets_are_not_repeated(hub: HubServer) -> None:
    assert told(hub, "POST", wire.USERS, json={"password": "tiny"}) == (
        "The field 'password' must be 10 characters long at least."
    )


def test_complaint_does_not_grow_with_what_it_is_about(hub: HubServer) -> None:
    rows = {f"{number} {'x' * 1000}": "{}" for number in range(100)}
    message = told(hub, "POST", wire.model("m" * 20), json={"type": "metrics", "metrics": rows})
    assert message.endswith(" And 90 more.")
    assert len(message) < 3000
