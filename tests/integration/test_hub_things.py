"""Data sets and projects over HTTP: made, filled, listed, fetched, put together with models, and deleted."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer

KINDS = [wire.DATASETS, wire.PROJECTS]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def create(hub: HubServer, path: str, **body: Any) -> str:
    return str(hub.ask("POST", path, json={"meta": {"name": "coco8"}, **body})["id"])


def archive(files: dict[str, bytes] | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in (files or {"coco8/data.yaml": b"names: [person]", "coco8/images/1.jpg": b"x"}).items():
            zipped.writestr(name, content)
    return file.getvalue()


def upload(hub: HubServer, path: str, name: str, content: bytes, **fields: str) -> requests.Response:
    return hub.send("POST", f"{path}/upload", files={name: (name, content)}, data=fields)


@pytest.mark.parametrize("path", KINDS)
def test_thing_is_made_read_patched_and_listed(hub: HubServer, path: str) -> None:
    thing_id = create(hub, path, meta={"name": "first", "note": "kept"}, more=[1])
    hub.ask("PATCH", f"{path}/{thing_id}", json={"meta": {"name": "second"}})
    thing = hub.ask("GET", f"{path}/{thing_id}")
    assert (thing["id"], thing["meta"], thing["more"]) == (thing_id, {"name": "second", "note": "kept"}, [1])
    assert hub.ask("GET", path, params={"query": thing_id})["results"] == [thing]


@pytest.mark.parametrize("path", KINDS)
def test_things_page_by_every_dialect(hub: HubServer, path: str) -> None:
    mark = wire.new_id()
    ids = [create(hub, path, meta={"name": mark}) for _ in range(3)]
    for size, cursor in (("limit", "last_doc_id"), ("perPage", "lastRecordId")):
        first = hub.ask("GET", path, params={size: 2, "query": mark})
        second = hub.ask("GET", path, params={size: 2, "query": mark, cursor: first["lastRecordId"]})
        found = [thing["id"] for page in (first, second) for thing in page["results"]]
        assert (found, second["lastRecordId"], first["total"]) == (ids[::-1], None, 3)
    third = hub.ask("GET", path, params={"page": 1, "limit": 2, "query": mark})
    assert [thing["id"] for thing in third["results"]] == ids[:1]


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("hard", ["True", "False"])
def test_deleted_thing_is_gone(hub: HubServer, path: str, hard: str) -> None:
    thing_id = create(hub, path)
    hub.ask("DELETE", f"{path}/{thing_id}", params={"hard": hard})
    assert hub.send("GET", f"{path}/{thing_id}").status_code == 404
    assert hub.ask("GET", path, params={"query": thing_id})["total"] == 0


def test_dataset_comes_back_as_it_went_up(hub: HubServer) -> None:
    dataset_id, content = create(hub, wire.DATASETS), archive()
    reply = upload(hub, wire.dataset(dataset_id), "coco8.zip", content)
    assert reply.json()["data"]["sha256"] == hashlib.sha256(content).hexdigest()
    url = hub.ask("GET", wire.dataset(dataset_id))["url"]
    assert f"{dataset_id}/coco8.zip" in url
    fetched = requests.get(url, timeout=10)
    assert fetched.content == content
    assert fetched.headers["content-disposition"] == 'attachment; filename="coco8.zip"'
    assert fetched.headers["x-content-type-options"] == "nosniff"


def test_dataset_of_another_hash_is_refused_and_the_last_good_one_stays(hub: HubServer) -> None:
    dataset_id, content = create(hub, wire.DATASETS), archive()
    assert upload(hub, wire.dataset(dataset_id), "a.zip", content).ok
    refused = upload(hub, wire.dataset(dataset_id), "b.zip", archive({"other": b"1"}), sha256="0" * 64)
    assert refused.status_code == 422
    assert requests.get(hub.ask("GET", wire.dataset(dataset_id))["url"], timeout=10).content == content


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd.zip"),
        ("..\\..\\evil.zip", "evil.zip"),
        ("..", "file.zip"),
        ('a"\r\nb.zip', "a_0D_0Ab.zip"),
        ("daten sätze.zip", "daten_s_tze.zip"),
    ],
)
def test_dataset_keeps_no_path_of_its_file(hub: HubServer, name: str, kept: str) -> None:
    dataset_id = create(hub, wire.DATASETS)
    data = hub.send("POST", f"{wire.dataset(dataset_id)}/upload", files={"file": (name, archive())}).json()["data"]
    assert kept.replace("_", "") in data["filename"].replace("_", "").replace("%", "").replace("22", "")


def link() -> bytes:
    file = io.BytesIO()
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(info, "/etc/passwd")
    return file.getvalue()


def bomb() -> bytes:
    """An archive whose directory claims that one small entry unpacks to petabytes."""
    content = bytearray(archive({"a": b"x"}))
    at = content.rindex(b"PK\x01\x02")
    name, extra = b"a", struct.pack("<HHQ", 1, 8, 1 << 50)
    content[at + 24 : at + 28] = b"\xff" * 4
    content[at + 30 : at + 32] = struct.pack("<H", len(extra))
    content[at + 46 + len(name) : at + 46 + len(name)] = extra
    end = content.rindex(b"PK\x05\x06")
    length = struct.unpack_from("<L", content, end + 12)[0]
    struct.pack_into("<L", content, end + 12, length + len(extra))
    return bytes(content)


def overlapping() -> bytes:
    """An archive whose entries share one body, as a better zip bomb does."""
    content = archive({"a": bytes(5_000_000)})
    at, end = content.rindex(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    entry = content[at:end]
    count = 3
    record = bytearray(content[end:])
    struct.pack_into("<HHL", record, 8, count, count, len(entry) * count)
    return content[:at] + entry * count + bytes(record)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no file"),
        (b"not a zip", "zip"),
        (archive()[:-30], "directory"),
        (archive({"../out": b"1"}), "outside"),
        (archive({"/etc/passwd": b"1"}), "outside"),
        (archive({"C:\\evil": b"1"}), "outside"),
        (archive({"a\\..\\..\\b": b"1"}), "outside"),
        (link(), "link"),
        (bomb(), "Unpacked"),
        (overlapping(), "overlap"),
    ],
    ids=["empty", "text", "cut off", "up", "absolute", "drive", "backslash", "link", "bomb", "overlap"],
)
def test_dangerous_archive_is_refused_and_not_kept(hub: HubServer, content: bytes, why: str) -> None:
    dataset_id = create(hub, wire.DATASETS)
    before = hub.blobs()
    reply = upload(hub, wire.dataset(dataset_id), "x.zip", content)
    assert reply.status_code == 422
    assert why in reply.json()["message"] or not content
    assert hub.ask("GET", wire.dataset(dataset_id))["url"] is None
    assert hub.blobs() == before


def test_project_shows_its_image(hub: HubServer) -> None:
    project_id = create(hub, wire.PROJECTS)
    assert upload(hub, wire.project(project_id), "logo.jpeg", PNG).ok
    fetched = requests.get(hub.ask("GET", wire.project(project_id))["imageUrl"], timeout=10)
    assert (fetched.content, fetched.headers["content-type"]) == (PNG, "image/png")


@pytest.mark.parametrize("content", [b"<svg onload=alert(1)>", b"GIF", b"PK\x03\x04"])
def test_project_takes_nothing_but_images(hub: HubServer, content: bytes) -> None:
    assert upload(hub, wire.project(create(hub, wire.PROJECTS)), "logo.png", content).status_code == 422


def test_model_trains_on_a_dataset_of_the_hub(hub: HubServer) -> None:
    dataset_id, content = create(hub, wire.DATASETS), archive()
    model_id = create(hub, wire.MODELS, datasetId=dataset_id, config={"epochs": "3"})
    assert hub.ask("GET", wire.model(model_id))["data"] == ""  # 8.0 then says that it may still be processing
    assert upload(hub, wire.dataset(dataset_id), "coco8.zip", content).ok
    model = hub.ask("GET", wire.model(model_id))
    assert model["train_args"]["data"] == model["data"]
    assert requests.get(model["data"], timeout=10).content == content
    assert dataset_id in model["data"].partition("?")[0].rpartition("/")[2]  # its name in Ultralytics' cache
    assert model["dataset"] == {"id": dataset_id, "name": "coco8"}


def test_model_of_an_unknown_dataset_is_refused(hub: HubServer) -> None:
    assert hub.send("POST", wire.MODELS, json={"datasetId": "x" * 20}).status_code == 404


def test_project_that_holds_something_is_not_removed(hub: HubServer) -> None:
    project_id = create(hub, wire.PROJECTS)
    model_id = create(hub, wire.MODELS, projectId=project_id)
    assert hub.send("DELETE", wire.project(project_id), params={"hard": "True"}).status_code == 409
    hub.ask("PATCH", wire.model(model_id), json={"projectId": None})
    hub.ask("DELETE", wire.project(project_id), params={"hard": "True"})


def test_unknown_project_takes_nothing(hub: HubServer) -> None:
    for path in (wire.MODELS, wire.DATASETS):
        assert hub.send("POST", path, json={"projectId": "x" * 20}).status_code == 404


@pytest.mark.parametrize("path", [wire.MODELS, *KINDS])
def test_public_thing_is_read_with_no_key(hub: HubServer, path: str) -> None:
    mark = wire.new_id()
    private, public = (create(hub, path, meta={"name": mark}, isPublic=flag) for flag in (False, True))
    assert requests.get(f"{hub.url}{path}/{private}", timeout=10).status_code == 401
    assert requests.get(f"{hub.url}{path}/{public}", timeout=10).json()["data"]["isPublic"] is True
    kind = path.removeprefix("/v1/")
    for listing in (f"{path}?public=True&query={mark}", f"/v1/public/{kind}?query={mark}"):
        found = requests.get(hub.url + listing, timeout=10).json()["data"]["results"]
        assert [one["id"] for one in found] == [public]
    assert requests.get(f"{hub.url}{path}", timeout=10).status_code == 401
    hub.ask("PATCH", f"{path}/{public}", json={"isPublic": False})
    assert requests.get(f"{hub.url}{path}/{public}", timeout=10).status_code == 401


def test_public_project_lets_read_what_is_in_it(hub: HubServer) -> None:
    project_id = create(hub, wire.PROJECTS, isPublic=True)
    model_id = create(hub, wire.MODELS, projectId=project_id)
    assert requests.get(hub.url + wire.model(model_id), timeout=10).ok


def test_old_client_finds_files_by_storage(hub: HubServer) -> None:
    dataset_id = create(hub, wire.DATASETS)
    body = {"collection": "datasets", "docId": dataset_id, "object": "archive"}
    assert hub.ask("POST", "/v1/storage", json=body) == {"url": None}
    upload(hub, wire.dataset(dataset_id), "coco8.zip", archive())
    assert requests.get(hub.ask("POST", "/v1/storage", json=body)["url"], timeout=10).ok
