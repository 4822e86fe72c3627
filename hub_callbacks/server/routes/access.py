"""The thing that a route is about, for those who may read or change it.

Each check is one function, not a chain of dependencies: FastAPI runs every synchronous one on a thread of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Path, Request
from pydantic import WithJsonSchema
from starlette.concurrency import run_in_threadpool

from hub_callbacks import wire
from hub_callbacks.server.auth import ShownKey, identify, identify_anyone, is_key, key_needed, known, with_role
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.permissions import may_change, may_read
from hub_callbacks.server.store import NotFoundError, Store
from hub_callbacks.server.store.access import Collection
from hub_callbacks.server.store.claims import Claim, ClaimedReport, Finding
from hub_callbacks.server.store.rows import Caller, Model, Place, Thing
from hub_callbacks.server.store.things import ThingKind


def check_readable(hub: Hub, caller: Caller | None, collection: Collection, thing_id: str) -> None:
    """Let pass only who may read the thing; to others it does not exist.

    Raises:
        NotFoundError: There is none for this caller.
        HTTPException: 401 for a caller without a key, where the thing is not public.
    """
    try:
        place = hub.store.place_of(collection, thing_id, caller.user_id if caller else "")
        if may_read(caller, place):
            return
    except NotFoundError:
        if caller is not None:
            raise
    if caller is None:
        raise key_needed()
    raise NotFoundError(thing_id, collection)


def find_readable(hub: Hub, caller: Caller | None, model_id: str) -> Model | None:
    """The model; None where there is none that the caller may read."""
    with contextlib.suppress(NotFoundError):
        check_readable(hub, caller, "models", model_id)
        return hub.store.get_model(model_id)
    return None


def find_deleted(hub: Hub, caller: Caller, model_id: str) -> Model | None:
    """The model that was hidden and can be shown again; None where there is none that the caller may change."""
    with contextlib.suppress(NotFoundError):
        if may_change(caller, hub.store.place_of("models", model_id, caller.user_id, is_deleted=True)):
            return hub.store.deleted_run(model_id)
    return None


def check_changeable(hub: Hub, caller: Caller, collection: Collection, thing_id: str) -> None:
    """Let pass only who may change the thing.

    Raises:
        NotFoundError: There is none for this caller.
        HTTPException: 403 for a caller who may only read it.
    """
    _check_place(caller, hub.store.place_of(collection, thing_id, caller.user_id), collection, thing_id)


def _check_place(caller: Caller, place: Place, collection: Collection, thing_id: str) -> None:
    if may_change(caller, place):
        return
    if not may_read(caller, place):
        raise NotFoundError(thing_id, collection)
    raise HTTPException(403, "Only its owner, trainers that its project is shared with, and admins may change this.")


def settle(hub: Hub, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """The body of something that is made or moved, in a project where the caller may put it.

    A key for one project puts everything there.

    Raises:
        NotFoundError: There is no such project for this caller.
        HTTPException: 403 for a caller who may only read it.
    """
    if caller.project_id is not None:
        body = {"projectId": caller.project_id, **body}
    project_id = body.get("projectId")
    if project_id:
        place = hub.store.place_in(project_id, caller.user_id)
        if not may_read(caller, place):
            raise NotFoundError(project_id, "projects")
        if not may_change(caller, place):
            raise HTTPException(403, "The project is shared with you for reading only.")
    elif caller.project_id is not None:
        raise HTTPException(403, "The key is good for one project only.")
    return body


def readable_model(model_id: str, request: Request, hub: ThisHub, shown: ShownKey) -> Model:
    """The model, for whoever may read it.

    Raises:
        NotFoundError: There is none for this caller.
        HTTPException: 401 without a valid key, where the model is not public.
    """
    check_readable(hub, identify_anyone(request, hub, shown=shown), "models", model_id)
    model = hub.store.get_model(model_id)
    if model is None:
        raise NotFoundError(model_id)
    return model


async def own_model(model_id: str, request: Request, hub: ThisHub, shown: ShownKey) -> str:
    """The model's id, for whoever may change it.

    Raises:
        NotFoundError: There is none for this caller.
        HTTPException: 401 without a valid key, 403 for a caller who may only read it.
    """
    await changer(model_id, request, hub, shown)
    return model_id


async def changer(model_id: str, request: Request, hub: ThisHub, shown: ShownKey) -> Caller:
    """The caller, who may change the model; raises as `own_model` does."""
    if shown and is_key(shown):
        return await hub.changers.ask(Claim(shown, model_id))
    return await run_in_threadpool(owner, model_id, request, hub, shown)


def changers_of(store: Store, claims: Sequence[Claim]) -> list[Caller | Exception]:
    """For each claim the caller, who may change the model, or what `own_model` raises."""
    found = store.find_claims(set(claims))
    return [_judge(claim, found.get(claim)) for claim in claims]


def take_reports(store: Store, claimed: Sequence[ClaimedReport]) -> list[Exception | None]:
    """Take the reports of those who may make them; for each None, or why it was not taken."""
    return store.put_claimed(claimed, _refusal)


def _refusal(claim: Claim, found: Finding | None) -> Exception | None:
    judged = _judge(claim, found)
    return judged if isinstance(judged, Exception) else None


def _judge(claim: Claim, found: Finding | None) -> Caller | Exception:
    try:
        caller = with_role("trainer", known(found and found.caller))
        if found is None or found.place is None:
            raise NotFoundError(claim.model_id)  # noqa: TRY301 - as `place_of` does
        _check_place(caller, found.place, "models", claim.model_id)
    except (HTTPException, NotFoundError) as error:
        return error
    return caller


def owner(model_id: str, request: Request, hub: ThisHub, shown: ShownKey) -> Caller:
    """The caller, who may change the model; raises as `own_model` does."""
    caller = identify(request, hub, shown=shown, role="trainer")
    check_changeable(hub, caller, "models", model_id)
    return caller


def readable_thing(kind: ThingKind, name: str) -> Callable[..., Thing]:
    """A dependency: the project or data set of that path parameter, for whoever may read it.

    It raises as `readable_model` does.
    """

    def thing(request: Request, hub: ThisHub, shown: ShownKey, thing_id: str = Path(alias=name)) -> Thing:
        check_readable(hub, identify_anyone(request, hub, shown=shown), kind, thing_id)
        found = hub.store.get_thing(kind, thing_id)
        if found is None:
            raise NotFoundError(thing_id, kind)
        return found

    return thing


def thing_owner(kind: ThingKind, name: str) -> Callable[..., Caller]:
    """A dependency: the caller, who may change the project or data set of that path parameter.

    It raises as `own_model` does.
    """

    def caller(request: Request, hub: ThisHub, shown: ShownKey, thing_id: str = Path(alias=name)) -> Caller:
        found = identify(request, hub, shown=shown, role="trainer")
        check_changeable(hub, found, kind, thing_id)
        return found

    return caller


ReadableModel = Annotated[Model, Depends(readable_model)]
Owner = Annotated[Caller, Depends(changer)]
OwnModelId = Annotated[str, Depends(own_model)]
Attempt = Annotated[
    float | None,
    WithJsonSchema({"type": "number", "minimum": 0}),  # not null: a header that is there says something
    Header(alias=wire.ATTEMPT_HEADER, ge=0, allow_inf_nan=False, description="When the training began, Unix time."),
]
