"""A real hub over HTTP: models, metrics, states, paging, and every failure as JSON."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer

MAP = "metrics/mAP50-95(B)"


def create(hub: HubServer, **body: Any) -> str:
    data = hub.ask("POST", wire.MODELS, json={"meta": {"name": "train"}, **body})
    return str(data["id"])


def put(hub: HubServer, model_id: str, rows: dict[int, dict[str, float]]) -> None:
    body = {"type": "metrics", "metrics": {str(epoch): json.dumps(row) for epoch, row in rows.items()}}
    hub.ask("POST", wire.model(model_id), json=body)


def read(hub: HubServer, model_id: str) -> dict[str, Any]:
    data: dict[str, Any] = hub.ask("GET", wire.model(model_id))
    return data


def test_hub_says_what_it_is_without_a_key(hub: HubServer) -> None:
    info = requests.get(hub.url + wire.HUB, timeout=10).json()["data"]
    assert info["name"] == "hub-callbacks"
    assert set(info["features"]) == set(wire.FEATURES)


def test_health_is_open(hub: HubServer) -> None:
    assert requests.get(hub.url + wire.HEALTH, timeout=10).json()["success"] is True


def test_create_honours_a_proposed_id_once_and_again(hub: HubServer) -> None:
    model_id = wire.new_id()
    assert [create(hub, id=model_id), create(hub, id=model_id)] == [model_id, model_id]
    assert hub.ask("GET", wire.MODELS, params={"query": model_id})["total"] == 1


def test_create_refuses_an_id_of_another_form(hub: HubServer) -> None:
    response = hub.send("POST", wire.MODELS, json={"id": "../../etc/passwd"})
    assert response.status_code == 422
    assert "id" in response.json()["message"]


def test_created_model_has_what_every_client_era_reads(hub: HubServer) -> None:
    model_id = create(
        hub,
        config={"batchSize": "8", "epochs": "5", "imageSize": 320, "device": "None", "cache": "False"},
        dataset={"name": "coco8.yaml"},
        lineage={"architecture": {"name": "yolo11n"}, "parent": {}},
    )
    model = read(hub, model_id)
    train_args = {"batch": 8, "epochs": 5, "imgsz": 320, "patience": 100, "device": None, "cache": False}
    assert model["train_args"] == {**train_args, "data": "coco8.yaml"}
    assert {name: model[name] for name in ("batch_size", "imgsz", "data")} == {
        "batch_size": 8,
        "imgsz": 320,
        "data": "coco8.yaml",
    }
    assert (model["status"], model["cfg"], model["weights"], model["resume"]) == ("new", "yolo11n.yaml", None, None)
    assert not any(model[flag] for flag in ("has_last_weights", "has_best_weights", "is_pretrained", "is_custom"))


def test_created_model_has_no_cfg_when_it_starts_from_weights(hub: HubServer) -> None:
    model = read(hub, create(hub, lineage={"architecture": {"name": "yolo11n"}, "parent": {"name": "yolo11n.pt"}}))
    assert (model["cfg"], model["weights"], model["is_pretrained"]) == (None, "yolo11n.pt", True)


def test_metrics_keep_nan_and_infinity_and_come_back_as_valid_json(hub: HubServer) -> None:
    model_id = create(hub)
    put(hub, model_id, {0: {MAP: 0.5, "train/loss": float("nan")}, 1: {MAP: 0.25, "train/loss": float("inf")}})
    text = hub.send("GET", wire.metrics(model_id)).text
    series = json.loads(text, parse_constant=pytest.fail)["data"]
    assert {one["meta"]["name"]: one["data"] for one in series} == {
        MAP: {"0": 0.5, "1": 0.25},
        "train/loss": {"0": "NaN", "1": "Infinity"},
    }


def test_metrics_last_write_wins_and_best_follows(hub: HubServer) -> None:
    model_id = create(hub)
    put(hub, model_id, {0: {MAP: 0.9}, 1: {MAP: 0.3}})
    put(hub, model_id, {0: {MAP: 0.1}})
    run = read(hub, model_id)["run"]
    assert (run["best"], run["last"], run["lastEpoch"]) == ({MAP: 0.3}, {MAP: 0.3}, 1)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "metrics", "metrics": {"0": "no json"}},
        {"type": "metrics", "metrics": {"0": "[1]"}},
        {"type": "metrics", "metrics": {"0": '{"a": "b"}'}},
        {"type": "metrics", "metrics": {"-1": "{}"}},
        {"type": "metrics", "metrics": {"0": {}}},
        {"type": "other", "metrics": {}},
        [],
    ],
)
def test_metrics_that_cannot_be_read_are_refused(hub: HubServer, body: Any) -> None:
    response = hub.send("POST", wire.model(create(hub)), json=body)
    assert response.status_code == 422
    assert response.json() == {"success": False, "message": response.json()["message"], "data": None}


def test_patch_merges_nested_and_a_later_get_shows_it(hub: HubServer) -> None:
    model_id = create(hub, config={"epochs": 3, "patience": 7})
    hub.ask("PATCH", wire.model(model_id), json={"meta": {"name": "second"}, "config": {"epochs": "9"}})
    model = read(hub, model_id)
    assert (model["meta"]["name"], model["epochs"], model["patience"]) == ("second", 9, 7)


def test_patch_takes_a_summary_with_words_for_what_json_lacks(hub: HubServer) -> None:
    model_id = create(hub)
    hub.ask("PATCH", wire.model(model_id), json={"summary": {MAP: 0.625, "val/loss": "NaN"}})
    assert read(hub, model_id)["run"]["summary"] == {MAP: 0.625, "val/loss": "NaN"}


def test_patch_of_something_else_leaves_the_number_of_planned_epochs(hub: HubServer) -> None:
    model_id = create(hub, config={"epochs": 100}, run={"epochs": 100, "startedAt": 5.0})
    for body in ({"run": {"epochs": 7}}, {"summary": {MAP: 0.5}}, {"meta": {"name": "renamed"}}):
        hub.ask("PATCH", wire.model(model_id), json=body)
        assert read(hub, model_id)["run"]["epochs"] == 7
    hub.ask("PATCH", wire.model(model_id), json={"config": {"epochs": 50}})
    assert read(hub, model_id)["run"]["epochs"] == 50


def test_whole_number_may_be_spelled_as_a_fraction(hub: HubServer) -> None:
    model_id = create(hub, run={"epochs": 7.0, "startEpoch": 0.0, "startedAt": 5.0})
    epochs = read(hub, model_id)["run"]["epochs"]
    assert (epochs, type(epochs)) == (7, int)
    assert hub.send("PATCH", wire.model(model_id), json={"run": {"epochs": 7.5}}).status_code == 422


def test_run_arguments_may_hold_infinity(hub: HubServer) -> None:
    body = json.dumps({"run": {"args": {"time": float("inf")}, "startedAt": 5.0}})
    data = hub.ask("POST", wire.MODELS, data=body, headers={"content-type": "application/json"})
    assert read(hub, data["id"])["run"]["args"] == {"time": "Infinity"}


@pytest.mark.parametrize("hard", ["True", "False"])
def test_delete_hides_the_model(hub: HubServer, hard: str) -> None:
    model_id = create(hub)
    hub.ask("DELETE", wire.model(model_id), params={"hard": hard})
    assert hub.send("GET", wire.model(model_id)).status_code == 404
    assert hub.ask("GET", wire.MODELS, params={"query": model_id})["total"] == 0


def test_delete_when_soft_keeps_the_id_taken(hub: HubServer) -> None:
    model_id = create(hub)
    hub.ask("DELETE", wire.model(model_id), params={"hard": "False"})
    assert hub.send("POST", wire.MODELS, json={"id": model_id}).status_code == 409


@pytest.mark.parametrize(
    ("size", "cursor"), [("limit", "last_doc_id"), ("perPage", "lastRecordId")], ids=["hub-sdk 0.0.9", "hub-sdk 0.0.8"]
)
def test_list_pages_by_cursor_newest_first(hub: HubServer, size: str, cursor: str) -> None:
    mark = wire.new_id()
    ids = [create(hub, meta={"name": f"{mark} {n}"}) for n in range(5)]
    seen, params = [], {size: "2", "query": mark, "public": "False"}
    while True:
        page = hub.ask("GET", wire.MODELS, params=params)
        assert page["total"] == 5
        seen += [model["id"] for model in page["results"]]
        if page["lastRecordId"] is None:
            break
        params[cursor] = page["lastRecordId"]
    assert seen == ids[::-1]


def test_list_pages_by_number(hub: HubServer) -> None:
    mark = wire.new_id()
    ids = [create(hub, meta={"name": f"{mark} {n}"}) for n in range(3)]
    page = hub.ask("GET", wire.MODELS, params={"page": 1, "limit": 2, "query": mark})
    assert [model["id"] for model in page["results"]] == ids[:1]


def test_list_refuses_a_cursor_of_elsewhere(hub: HubServer) -> None:
    assert hub.send("GET", wire.MODELS, params={"last_doc_id": "x" * 20}).status_code == 422


def test_heartbeat_gives_an_agent_id_and_keeps_it(hub: HubServer) -> None:
    path = wire.heartbeat(create(hub))
    first = hub.ask("POST", path, json={"agent": "python-8.4-local", "agentId": None})
    second = hub.ask("POST", path, json={"agent": "python-8.4-local", "agentId": first["agentId"]})
    assert first == second == {"agentId": first["agentId"], "interval": 30.0, "commands": []}


def test_heartbeat_brings_a_crashed_run_back(hub: HubServer) -> None:
    model_id = create(hub, run={"startedAt": 100.0})
    hub.ask("POST", wire.state(model_id), json={"state": "crashed", "at": 200.0})
    hub.ask("POST", wire.heartbeat(model_id), json={"agent": "a", "agentId": None})
    assert read(hub, model_id)["run"]["state"] == "running"


def test_late_end_heals_a_crash(hub: HubServer) -> None:
    model_id = create(hub, run={"startedAt": 100.0})
    hub.ask("POST", wire.state(model_id), json={"state": "crashed", "reason": "Gone.", "at": 200.0})
    hub.ask("POST", wire.state(model_id), json={"state": "failed", "reason": "Out of memory.", "at": 190.0})
    run = read(hub, model_id)["run"]
    assert (run["state"], run["reason"], run["finishedAt"]) == ("failed", "Out of memory.", 190.0)


def test_resumed_training_makes_the_run_running_again(hub: HubServer) -> None:
    model_id = create(hub, id=wire.new_id(), run={"startedAt": 100.0, "epochs": 3})
    hub.ask("POST", wire.state(model_id), json={"state": "failed", "at": 200.0})
    create(hub, id=model_id, run={"startedAt": 300.0, "epochs": 9})
    run = read(hub, model_id)["run"]
    assert (run["state"], run["startedAt"], run["finishedAt"], run["epochs"]) == ("running", 100.0, None, 9)


def test_repeated_create_does_not_undo_an_end(hub: HubServer) -> None:
    model_id = create(hub, id=wire.new_id(), run={"startedAt": 100.0})
    hub.ask("POST", wire.state(model_id), json={"state": "finished", "at": 200.0})
    create(hub, id=model_id, run={"startedAt": 100.0})
    assert read(hub, model_id)["run"]["state"] == "finished"


def test_reset_makes_a_model_new(hub: HubServer) -> None:
    model_id = create(hub)
    put(hub, model_id, {0: {MAP: 0.5}})
    hub.ask("POST", "/model-reset", json={"modelId": model_id})
    assert hub.ask("GET", wire.metrics(model_id)) == []


def test_reset_takes_the_key_of_old_clients_from_the_body(hub: HubServer) -> None:
    body = {"modelId": create(hub), "apiKey": hub.key}
    assert requests.post(hub.url + "/model-reset", json=body, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", f"/v1/datasets/{'x' * 20}", 404),
        ("GET", f"/v1/models/{'x' * 20}", 404),
        ("POST", f"/v1/models/{'x' * 20}/export", 501),
        ("POST", f"/v1/predict/{'x' * 20}", 501),
        ("POST", "/get-export", 501),
        ("PUT", "/v1/models", 405),
        ("POST", "/v1/models/", 404),
    ],
)
def test_failures_are_json_and_say_so(hub: HubServer, method: str, path: str, status: int) -> None:
    response = hub.send(method, path, json={})
    assert (response.status_code, response.json()["success"], response.json()["data"]) == (status, False, None)
    assert response.json()["message"]


def test_openapi_document_names_every_operation_once(hub: HubServer) -> None:
    document = hub.send("GET", "/openapi.json").json()
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_openapi_document_says_bounds_in_words_of_json_schema(hub: HubServer) -> None:
    """pydantic writes a bound in words of its own, which clients pass over, where a validator stands before it."""
    assert not re.findall('"(?:ge|gt|le|lt|multiple_of|min_length|max_length)":', hub.send("GET", "/openapi.json").text)


def test_last_seen_follows_metrics(hub: HubServer) -> None:
    model_id = create(hub)
    before = time.time()
    put(hub, model_id, {0: {MAP: 0.5}})
    assert before <= read(hub, model_id)["run"]["lastSeenAt"] <= time.time()
