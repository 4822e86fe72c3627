"""Everything that a release of hub-sdk can do, done once against a hub: what came of it, as JSON on the last line.

It runs in a process of its own, in an empty folder, for hub-sdk reads its addresses when it is imported.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hub_sdk
import requests
from hub_sdk.hub_client import HUBClient
from hub_sdk.modules.datasets import DatasetList, Datasets
from hub_sdk.modules.models import ModelList, Models
from hub_sdk.modules.projects import ProjectList, Projects
from hub_sdk.modules.users import Users

CLASSES = (HUBClient, Models, Datasets, Projects, Users, ModelList, DatasetList, ProjectList)
RAW = {"get", "post", "put", "patch"}  # plain HTTP, for whoever writes another client
called: set[Any] = set()


def note_call(frame: Any, event: str, _: Any) -> None:
    if event == "call":
        called.add(frame.f_code)


def public_methods() -> dict[str, Any]:
    """Every public method of the classes, by its name, and its code."""
    found = {}
    for kind in CLASSES:
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            cells = [cell.cell_contents for cell in method.__closure__ or ()]
            inner = next(filter(inspect.isfunction, cells), method)  # behind a decorator
            if not name.startswith("_") and name not in RAW:
                found[f"{kind.__name__}.{name}"] = inner.__code__
    return found


def refused(call: Callable[..., Any], *args: Any) -> str:
    """Why hub-sdk itself does not do it."""
    try:
        call(*args)
    except Exception as error:  # noqa: BLE001 - it raises Exception itself
        return str(error)
    return ""


def either(method: Callable[..., Any], kind: type, *args: Any) -> Any:
    """What the client's method gives; the class itself where that release says that it is yet to come."""
    try:
        return method(*args)
    except Exception:  # noqa: BLE001 - as above
        return kind(*args, headers=client.get_auth_header())


def is_gone(kind: type, thing_id: str) -> bool:
    """Whether the hub has it no more; up to 0.0.8, reading such a thing fails in hub-sdk."""
    try:
        return not kind(thing_id, client.get_auth_header()).data
    except AttributeError:
        return True


def link(thing: Any, kind: str) -> str | None:
    """The download link, which 0.0.6 asks the hub for and later ones read from the thing."""
    takes_kind = "type" in inspect.signature(thing.get_download_link).parameters
    found: str | None = thing.get_download_link(kind) if takes_kind else thing.get_download_link()
    return found


def archive(name: str, entry: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(entry, b"content")
    Path(name).write_bytes(file.getvalue())
    return file.getvalue()


def sign_in() -> dict[str, Any]:
    by_email = HUBClient({"email": os.environ["EMAIL"], "password": os.environ["PASSWORD"]})
    by_token = HUBClient({"id_token": by_email.id_token})
    wrong = HUBClient({"api_key": "x" * 42})
    later = HUBClient({"api_key": "x" * 42})
    later.set_api_key(os.environ["HUB_API_KEY"])
    return {
        "states": [bool(one.get_state()) for one in (client, by_email, by_token, wrong)],
        "authenticated": [one.authenticated for one in (client, by_email, by_token, wrong)],
        "is_later_known": later.authenticate(),
        "is_wrong_password_known": bool(wrong.authorize(os.environ["EMAIL"], "something else")),
        "teams": [bool(refused(client.team, "x")), bool(refused(client.team_list))],
    }


def models() -> dict[str, Any]:
    model = client.model()
    model.create_model({"meta": {"name": "mine"}, "config": {"epochs": "5", "imageSize": "320"}, "keep": [1]})
    model.update({"meta": {"name": "other"}})
    rows = {0: json.dumps({"loss": 0.5}), 1: json.dumps({"loss": float("nan")})}
    weights = archive("w.pt", "archive/data.pkl")
    statuses = [model.upload_metrics(rows).status_code, model.upload_model(1, "w.pt", is_best=True).status_code]
    running = client.model(model.id)
    final = model.upload_model(4, "w.pt", map=0.5, final=True)
    statuses.append(final.status_code)
    list(final.iter_content(1024))
    trained = client.model(model.id)
    urls = [trained.get_weights_url("best"), trained.get_weights_url("last")]
    if hasattr(trained, "get_download_link"):
        urls += [trained.get_download_link("best"), trained.get_download_link("last")]
    trained.start_heartbeat(3600)
    give_up_at = time.monotonic() + 30
    while trained.hub_client.agent_id is None and time.monotonic() < give_up_at:
        time.sleep(0.02)
    trained.stop_heartbeat()
    Path("image.jpg").write_bytes(b"\xff\xd8\xff")
    cloud = [trained.export("onnx"), trained.predict("image.jpg", {"size": 640})]
    listed = json.loads(trained.list(page=0, limit=5).content)["data"]["results"]
    return {
        "data": {name: running.read(running.id).json()["data"][name] for name in ("meta", "keep", "imgsz", "epochs")},
        "statuses": statuses,
        "running": [running.is_resumable(), running.has_best_weights(), running.is_trained()],
        "trained": [trained.is_trained(), trained.is_pretrained(), trained.is_custom()],
        "architecture": trained.get_architecture(),
        "dataset": trained.get_dataset_url(),
        "metrics": trained.get_metrics(),
        "are_whole": [requests.get(url, timeout=10).content == weights for url in urls],
        "agent_chars": len(trained.hub_client.agent_id or ""),
        "cloud": cloud,
        "is_listed": model.id in [one["id"] for one in listed],
        "deleted": [trained.delete(hard=True).status_code, is_gone(Models, model.id)],
    }


def datasets() -> dict[str, Any]:
    dataset = either(client.dataset, Datasets)
    dataset.create_dataset({"meta": {"name": "coco8"}})
    dataset.update({"meta": {"note": "small"}})
    content = archive("coco8.zip", "coco8/data.yaml")
    uploaded = dataset.upload_dataset("coco8.zip").status_code
    dataset.get_data()
    url = link(dataset, "archive") or ""
    return {
        "meta": dataset.data["meta"],
        "uploaded": uploaded,
        "is_in_url": f"{dataset.id}/coco8.zip" in url,
        "is_whole": requests.get(url, timeout=10).content == content,
        "deleted": [dataset.delete(hard=False).status_code, is_gone(Datasets, dataset.id)],
    }


def projects() -> dict[str, Any]:
    project = either(client.project, Projects)
    project.create_project({"meta": {"name": "cars"}})
    project.update({"meta": {"name": "trucks"}})
    Path("logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    uploaded = project.upload_image("logo.png").status_code
    project.get_data()
    return {
        "meta": project.data["meta"],
        "uploaded": uploaded,
        "has_image": requests.get(project.data["imageUrl"], timeout=10).content[:4] == b"\x89PNG",
        "deleted": [project.delete(hard=True).status_code, is_gone(Projects, project.id)],
    }


def users() -> dict[str, Any]:
    user = client.user()
    user.create_user({"name": "Eve", "role": "viewer"})
    changed = user.update({"name": "Eva"}).status_code
    read = client.user(user.id).read(user.id).json()["data"]
    return {"changed": changed, "name": read["name"], "role": read["role"], "deleted": user.delete().status_code}


def lists() -> dict[str, Any]:
    found = {}
    kinds: tuple[tuple[str, Callable[..., Any], type, Callable[[], Any]], ...] = (
        ("models", client.model_list, ModelList, lambda: client.model().create({"meta": {"name": "m"}})),
        ("datasets", client.dataset_list, DatasetList, lambda: either(client.dataset, Datasets).create({})),
        ("projects", client.project_list, ProjectList, lambda: either(client.project, Projects).create({})),
    )
    for name, method, kind, make in kinds:
        ids = [make().json()["data"]["id"] for _ in range(4)][::-1]
        page = either(method, kind, 2)
        first = [one["id"] for one in page.results]
        page.next()
        second = [one["id"] for one in page.results]
        page.previous()
        raw = page.list(page_size=1).json()["data"]["results"]
        public = kind(2, True, client.get_auth_header())
        found[name] = {
            "pages": [first == ids[:2], second == ids[2:], [one["id"] for one in page.results] == ids[:2]],
            "raw": [one["id"] for one in raw] == ids[:1],
            "public": len(public.results),
            "total_pages": page.total_pages >= 2,
        }
    return found


client = HUBClient()  # its key is in HUB_API_KEY
sys.setprofile(note_call)
told: dict[str, Any] = {"version": hub_sdk.__version__}
for part in (sign_in, models, datasets, projects, users, lists):
    told[part.__name__] = part()
sys.setprofile(None)
client.login(api_key=os.environ["HUB_API_KEY"])
told["not_called"] = sorted(name for name, code in public_methods().items() if code not in called)
sys.stdout.write(f"\nTOLD {json.dumps(told)}\n")
sys.stdout.flush()
os._exit(0)  # the heartbeat's thread sleeps for an hour
