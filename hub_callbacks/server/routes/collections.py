"""What projects and data sets have in common: made, listed, shown, changed and deleted in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from hub_callbacks.server.auditing import note
from hub_callbacks.server.auth import key_needed
from hub_callbacks.server.bodies import Id, Listing, Object, Reply, StoredFile
from hub_callbacks.server.context import Hub
from hub_callbacks.server.documents import check_document
from hub_callbacks.server.files import thing_path
from hub_callbacks.server.queries import PageQuery
from hub_callbacks.server.routes.access import settle
from hub_callbacks.server.store import NotFoundError
from hub_callbacks.server.store.access import Collection
from hub_callbacks.server.store.rows import Caller, NewFile, Thing
from hub_callbacks.server.store.things import ThingKind


def root_url(request: Request) -> str:
    """The hub's root, as the client called it."""
    return str(request.base_url).rstrip("/")


def reader(caller: Caller | None, asked: PageQuery) -> Caller | None:
    """In whose name a list is read: nobody's where only what is public is asked for.

    Raises:
        HTTPException: 401 for a caller without a key who asks for more.
    """
    if caller is None and not asked.public:
        raise key_needed()
    return None if asked.public else caller


def create(request: Request, hub: Hub, kind: ThingKind, caller: Caller, body: dict[str, Any]) -> Reply[Id]:
    """Make a thing."""
    check_document(body, hub.limits)
    body = settle(hub, caller, body) if kind == "datasets" else body
    thing = hub.store.create_thing(kind, body, owner=caller.user_id)
    note_publishing(request, hub, kind, thing.id, caller, body)
    return Reply(message="Created.", data=Id(id=thing.id))


def listing(request: Request, hub: Hub, kind: ThingKind, caller: Caller | None, asked: PageQuery) -> Reply[Listing]:
    """One page of the things that the caller may read."""
    found = hub.store.list_things(
        kind,
        reader(caller, asked),
        limit=asked.size,
        cursor=asked.cursor,
        query=asked.query,
        offset=asked.offset,
    )
    results = [shown(request, hub, kind, thing) for thing in found.things]
    return Reply(data=Listing(results=results, total=found.total, last_record_id=found.cursor))


def shown(request: Request, hub: Hub, kind: ThingKind, thing: Thing) -> Object:
    """The thing as HUB v1's clients read it."""
    path = thing_path(hub, kind, thing)
    url = root_url(request) + path if path else None
    file = thing.file
    meta = thing.document.get("meta")
    return {
        **thing.document,
        "id": thing.id,
        "owner": thing.owner,
        "meta": {**(meta if isinstance(meta, dict) else {}), "name": thing.name},
        "isPublic": thing.is_public,
        "createdAt": thing.created_at,
        "updatedAt": thing.updated_at,
        **({"imageUrl": url} if kind == "projects" else {"url": url, "projectId": thing.project_id}),
        "file": {"filename": file.filename, "sizeBytes": file.size_bytes, "sha256": file.sha256} if file else None,
    }


def stored(request: Request, hub: Hub, kind: ThingKind, thing_id: str, file: NewFile) -> Reply[StoredFile]:
    """What a file was stored as, and where the thing shows it.

    Raises:
        NotFoundError: The thing was deleted meanwhile.
    """
    thing = hub.store.get_thing(kind, thing_id)
    path = thing_path(hub, kind, thing) if thing else None
    if path is None:
        raise NotFoundError(thing_id, kind)
    return Reply(
        message="Stored.",
        data=StoredFile(
            filename=file.filename, sha256=file.sha256, size_bytes=file.size_bytes, url=root_url(request) + path
        ),
    )


def patch(
    request: Request, hub: Hub, kind: ThingKind, thing_id: str, caller: Caller, body: dict[str, Any]
) -> Reply[Id]:
    """Lay a part of a document over the thing's."""
    check_document(body, hub.limits)
    if kind == "datasets" and "projectId" in body:
        body = settle(hub, caller, body)
    hub.store.update_thing(kind, thing_id, body)
    note_publishing(request, hub, kind, thing_id, caller, body)
    return Reply(message="Updated.", data=Id(id=thing_id))


def delete(request: Request, hub: Hub, kind: ThingKind, thing_id: str, caller: Caller, *, hard: bool) -> Reply[Id]:
    """Hide the thing or, when hard, remove it with its file."""
    if blob := hub.store.delete_thing(kind, thing_id, hard=hard):
        hub.blobs.delete(blob)
    note(hub, request, caller, "delete", f"{kind}/{thing_id}", detail="hard" if hard else "")
    return Reply(message="Deleted.", data=Id(id=thing_id))


def note_publishing(
    request: Request, hub: Hub, kind: Collection, thing_id: str, caller: Caller, body: Mapping[str, Any]
) -> None:
    """Note in the audit log that anyone may read the thing from now on, or no more, where the body says so."""
    if "isPublic" in body:
        note(hub, request, caller, "publish" if body["isPublic"] else "unpublish", f"{kind}/{thing_id}")
