"""Callers of every kind, and requests to every route of the hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from hub_callbacks import wire
from hub_callbacks.server.admission import ADMISSION, Who

if TYPE_CHECKING:
    from tests.hubs import HubServer

NO_KEY = ("nobody", "forged", "expired", "revoked", "id token of another hub")
STRANGERS = ("stranger", "guest", "key of another project")  # a trainer and a viewer, with whom nothing is shared
READER = "reader"  # a viewer with whom the project is shared
CHANGERS = ("owner", "helper", "admin")  # helper: a trainer with whom the project is shared
BODIES: dict[str, Any] = {
    "POST /v1/models/{model_id}": {"type": "metrics", "metrics": {}},
    "POST /v1/models/{model_id}/state": {"state": "running"},
    "POST /v1/models/{model_id}/commands": {"command": "stop"},
    "PUT /v1/projects/{project_id}/members/{user}": {"role": "viewer"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A hub with people in every relation to a project of its owner's."""

    hub: HubServer
    keys: dict[str, str]
    ids: dict[str, str]

    def send(self, who: str, method: str, path: str, **kwargs: Any) -> requests.Response:
        headers = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
        if who != "nobody":
            headers[wire.API_KEY_HEADER] = self.keys[who]
        if "." in self.keys.get(who, ""):
            headers = {**headers, "authorization": f"Bearer {self.keys[who]}"}
        return requests.request(
            method, self.hub.url + path, headers=headers, timeout=20, allow_redirects=False, **kwargs
        )

    def session(self, who: str) -> requests.Session:
        session = requests.Session()
        form = {"key": self.keys.get(who, "")}
        session.post(f"{self.hub.url}/login", data=form, headers={"origin": self.hub.url}, timeout=20)
        return session

    def ask(self, who: str, path: str, **body: Any) -> Any:
        return self.send(who, "POST", path, json=body).json()["data"]


def things(team: Team) -> dict[str, str]:
    """A project that is shared, and one of everything in it."""
    project = team.ask("owner", wire.PROJECTS)["id"]
    for name, role in ((READER, "viewer"), ("helper", "trainer")):
        member = f"{wire.members(project)}/{team.ids[name]}"
        assert team.send("owner", "PUT", member, json={"role": role}).ok
    return {
        "project_id": project,
        "model_id": team.ask("owner", wire.MODELS, projectId=project)["id"],
        "dataset_id": team.ask("owner", wire.DATASETS, projectId=project)["id"],
        "user": team.ids["guest"],
        "user_id": team.ids["owner"],
        "key_id": team.ask("owner", wire.KEYS)["id"],
        "form": "csv",
        "upload_id": wire.new_id(),
        "artifact_id": wire.new_id(),
        "file_id": wire.new_id(),
        "name:path": "x.pt",
        "version": "x",
        "name": "x",
    }


def request(route: str, ids: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
    """Method, path and body of a request to the route that is about these things."""
    method, _, path = route.partition(" ")
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    body = {
        "POST /model-reset": {"modelId": ids["model_id"]},
        "POST /v1/storage": {"collection": "models", "docId": ids["model_id"]},
        "POST /v1/auth/email": {"email": "x@example.org", "password": "x"},
    }
    return method, path, {"json": {**BODIES, **body}.get(route, {})}


def of(*kinds: Who) -> list[str]:
    return [route for route, who in ADMISSION.items() if who in kinds]
