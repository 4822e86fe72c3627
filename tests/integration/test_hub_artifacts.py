"""Artifacts in and out: one of each name, known by their bytes, and harmless in a browser."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.limits import DEFAULTS
from hub_callbacks.testing.pictures import picture

if TYPE_CHECKING:
    from tests.hubs import HubServer

PNG, JPEG = picture("results.png"), picture("train_batch0.jpg")


@pytest.fixture
def model_id(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "train"}})["id"])


def put(hub: HubServer, model_id: str, name: str, content: bytes, **fields: Any) -> requests.Response:
    return hub.send("POST", wire.artifacts(model_id), data={"kind": "plot", **fields}, files={"file": (name, content)})


def listed(hub: HubServer, model_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hub.ask("GET", wire.artifacts(model_id))
    return found


def fetch(hub: HubServer, url: str, **options: Any) -> requests.Response:
    return hub.send("GET", url.removeprefix(hub.url), **options)


@pytest.mark.parametrize(
    ("name", "content", "media_type", "size", "disposition"),
    [
        ("results.png", PNG, "image/png", (48, 32), "inline"),
        ("train_batch0.jpg", JPEG, "image/jpeg", (32, 32), "inline"),
        ("curves.json", b'{"curves": []}', "application/json", (None, None), "attachment"),
        ("results.csv", b"epoch,loss\n1,0.5\n", "text/csv; charset=utf-8", (None, None), "attachment"),
    ],
)
def test_artifact_comes_back_as_what_it_is_and_does_nothing_in_a_browser(
    hub: HubServer,
    model_id: str,
    name: str,
    content: bytes,
    media_type: str,
    size: tuple[int | None, int | None],
    disposition: str,
) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    assert put(hub, model_id, name, content, sha256=sha256, epoch=4).json()["data"]["sha256"] == sha256
    (artifact,) = listed(hub, model_id)
    assert (artifact["name"], artifact["epoch"], artifact["sizeBytes"]) == (name, 4, len(content))
    assert (artifact["width"], artifact["height"]) == size
    reply = fetch(hub, artifact["url"])
    assert (reply.status_code, reply.content) == (200, content)
    assert reply.headers["content-type"] == media_type
    assert reply.headers["content-disposition"] == f'{disposition}; filename="{name}"'
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply.headers["content-security-policy"]
    assert "script" not in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.png", JPEG),
        ("results.png", PNG[:-1]),
        ("results.png", b"<svg onload='alert(1)'/>"),
        ("train.jpg", PNG),
        ("train.jpg", JPEG[:-2]),
        ("train.jpg", b"\xff\xd8\xff\xd9"),
        ("curves.json", b"{"),
        ("curves.json", b"\xff{}"),
        ("curves.json", b"[" * 100_000),
        ("results.csv", PNG),
        ("results.csv", b"\x00"),
        ("page.html", b"<script>alert(1)</script>"),
        ("plot.svg", b"<svg/>"),
        ("../plot.png", PNG),
        (".png", PNG),
        ("a" * 120 + ".png", PNG),
        ("best.pt", b"PK\x03\x04"),
    ],
)
def test_artifact_that_is_not_what_its_name_says_is_refused_and_leaves_nothing(
    hub: HubServer, model_id: str, name: str, content: bytes
) -> None:
    before = hub.blobs()
    reply = put(hub, model_id, name, content)
    assert (reply.status_code, reply.json()["success"]) == (422, False)
    assert listed(hub, model_id) == []
    assert hub.blobs() == before


@pytest.mark.parametrize(
    "fields", [{"kind": "virus"}, {"kind": ""}, {"epoch": "-1"}, {"epoch": "first"}, {"sha256": "0" * 64}]
)
def test_artifact_with_wrong_words_is_refused(hub: HubServer, model_id: str, fields: dict[str, str]) -> None:
    assert put(hub, model_id, "results.png", PNG, **fields).status_code == 422
    assert listed(hub, model_id) == []


def test_same_bytes_again_change_nothing(hub: HubServer, model_id: str) -> None:
    before = hub.blobs()
    replies = [put(hub, model_id, "results.png", PNG).json()["data"]["id"] for _ in range(2)]
    assert replies[0] == replies[1]
    assert len(hub.blobs() - before) == 1


def test_other_bytes_take_the_place_of_those_of_their_name(hub: HubServer, model_id: str) -> None:
    before = hub.blobs()
    put(hub, model_id, "results.png", PNG)
    (first,) = listed(hub, model_id)
    put(hub, model_id, "results.png", picture("other.png"))
    (second,) = listed(hub, model_id)
    assert fetch(hub, second["url"]).content == picture("other.png")
    assert fetch(hub, first["url"]).status_code == 404
    assert len(hub.blobs() - before) == 1


def test_pictures_of_a_training_that_was_superseded_do_not_come_over_the_later_ones(hub: HubServer) -> None:
    model_id = wire.new_id()
    for began_at, first in ((100.0, 0), (300.0, 2)):
        run = {"startedAt": began_at, "startEpoch": first, "epochs": 6}
        hub.ask("POST", wire.MODELS, json={"id": model_id, "meta": {"name": "train"}, "run": run})

    def send(began_at: float, content: bytes, **fields: Any) -> int:
        headers, data = {wire.ATTEMPT_HEADER: repr(began_at)}, {"kind": "plot", **fields}
        files = {"file": ("results.png", content)}
        return hub.send("POST", wire.artifacts(model_id), headers=headers, data=data, files=files).status_code

    before = hub.blobs()
    assert send(300.0, PNG) == 200
    assert send(100.0, picture("late.png")) == 409
    (kept,) = listed(hub, model_id)
    assert fetch(hub, kept["url"]).content == PNG
    assert len(hub.blobs() - before) == 1
    assert send(100.0, picture("early.png"), epoch=1) == 200, "of an epoch that was not trained anew"


def test_browser_that_has_it_is_sent_nothing(hub: HubServer, model_id: str) -> None:
    put(hub, model_id, "results.png", PNG)
    (artifact,) = listed(hub, model_id)
    reply = fetch(hub, artifact["url"], headers={"if-none-match": f'"{artifact["sha256"]}"'})
    assert (reply.status_code, reply.content) == (304, b"")


def test_artifact_is_for_those_who_may_read_its_model(hub: HubServer, model_id: str) -> None:
    put(hub, model_id, "results.png", PNG)
    (artifact,) = listed(hub, model_id)
    assert requests.get(artifact["url"], timeout=10).status_code == 401
    assert requests.get(hub.url + wire.artifacts(model_id), timeout=10).status_code == 401
    assert requests.post(hub.url + wire.artifacts(model_id), files={"file": PNG}, timeout=10).status_code == 401
    other = hub.ask("POST", wire.MODELS, json={"meta": {"name": "other"}})["id"]
    assert fetch(hub, hub.url + wire.artifact(other, artifact["id"])).status_code == 404


@pytest.mark.parametrize(
    ("name", "size_bytes"), [("big.png", DEFAULTS.artifact_bytes), ("big.json", DEFAULTS.text_bytes)]
)
def test_artifact_that_is_too_large_is_refused(hub: HubServer, model_id: str, name: str, size_bytes: int) -> None:
    before = hub.blobs()
    assert put(hub, model_id, name, b" " * (size_bytes + 1)).status_code == 413
    assert hub.blobs() == before


def test_model_has_so_many_artifacts_at_most(hub: HubServer, model_id: str) -> None:
    for number in range(DEFAULTS.artifacts):
        assert put(hub, model_id, f"{number}.json", b"{}").ok
    before = hub.blobs()
    reply = put(hub, model_id, "more.json", b"{}")
    assert (reply.status_code, f"{DEFAULTS.artifacts} artifacts" in reply.json()["message"]) == (409, True)
    assert hub.blobs() == before
    assert put(hub, model_id, "0.json", b"[]").ok, "one that is there can still be replaced"


@pytest.mark.parametrize("way", ["delete", "reset"])
def test_artifacts_go_with_their_model(hub: HubServer, model_id: str, way: str) -> None:
    before = hub.blobs()
    put(hub, model_id, "results.png", PNG)
    if way == "delete":
        hub.ask("DELETE", f"{wire.model(model_id)}?hard=true")
    else:
        hub.ask("POST", "/model-reset", json={"modelId": model_id})
        assert listed(hub, model_id) == []
    assert hub.blobs() == before


def test_openapi_document_says_what_an_artifact_is(hub: HubServer) -> None:
    route = hub.send("GET", "/openapi.json").json()["paths"][wire.artifacts("{model_id}")]
    form = route["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["kind"]["enum"] == ["plot", "image", "data"]
    assert {"409", "413", "422"} <= route["post"]["responses"].keys()
    assert json.dumps(route["get"]["responses"]["200"]).count("StoredArtifact")
