"""Every failure as HUB v1's envelope: its clients read JSON even from errors."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from hub_callbacks.server.admission import methods
from hub_callbacks.server.archives import ArchiveError
from hub_callbacks.server.auth import SignInRequired
from hub_callbacks.server.bodies import Failure
from hub_callbacks.server.complaints import complaint
from hub_callbacks.server.contents import ContentError
from hub_callbacks.server.incoming import UploadBusyError
from hub_callbacks.server.multipart import FormError
from hub_callbacks.server.objects import BucketError
from hub_callbacks.server.publishing import CheckpointError
from hub_callbacks.server.store import (
    BadCursorError,
    IdTakenError,
    LastAdminError,
    NameTakenError,
    NotEmptyError,
    NotFoundError,
    SupersededError,
    TooManyArtifactsError,
    TooManyUploadsError,
    UploadGoneError,
)

_log = logging.getLogger(__name__)

_STATUSES: Final[Mapping[type[Exception], int]] = {
    NotFoundError: 404,
    IdTakenError: 409,
    LastAdminError: 409,
    NameTakenError: 409,
    NotEmptyError: 409,
    SupersededError: 409,
    TooManyArtifactsError: 409,
    BadCursorError: 422,
    FormError: 422,
    ContentError: 422,
    ArchiveError: 422,
    CheckpointError: 422,
    UploadBusyError: 423,
    TooManyUploadsError: 429,
    UploadGoneError: 410,
}


_NO_JSON: Final = (
    "There was an error parsing the body"  # FastAPI's words, where JSON's parser raises what it should not
)
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def failure(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The reply to a request that failed."""
    return JSONResponse(Failure(message=message).model_dump(), status, headers=headers)


def add_handlers(app: FastAPI) -> None:
    """Have the application answer every failure with the envelope, but a page without a session with a redirect."""
    for kind, status in _STATUSES.items():
        app.add_exception_handler(kind, _answer(status))
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(PoolTimeoutError, _busy)
    app.add_exception_handler(DataError, _unfit)
    app.add_exception_handler(BucketError, _bucket)
    app.add_exception_handler(OSError, _disk)
    app.add_exception_handler(SignInRequired, _sign_in)
    app.add_exception_handler(Exception, _unexpected)


def _answer(status: int) -> Any:
    async def answer(_: Request, error: Exception) -> Response:
        return failure(status, str(error))

    return answer


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette's signature is wider than its use
    if error.status_code == 400 and error.detail == _NO_JSON:
        return failure(422, "The body cannot be read: it is no JSON, or goes too deep.")
    if error.status_code == 405:
        return failure(405, error.detail, {"allow": ", ".join(methods(request.url.path))})
    message = error.detail
    if error.status_code == 404 and message == "Not Found":
        message = f"This hub has no {request.method} {request.url.path}."
    return failure(error.status_code, message, error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    return failure(422, complaint(error.errors()))


async def _busy(_: Request, __: Exception) -> Response:
    return failure(503, "The hub's store is busy or full. Try again.", {"retry-after": "5"})


async def _unfit(_: Request, __: Exception) -> Response:
    return failure(422, "A number or a text is none that the hub's store can keep.")


async def _bucket(_: Request, error: Exception) -> Response:
    _log.warning("%s", error)
    return failure(503, "The hub's bucket does not answer as it should. Try again.", {"retry-after": "5"})


async def _disk(_: Request, error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in _FULL:
        return failure(507, "The hub's disk is full.", {"retry-after": "60"})
    raise error


async def _sign_in(_: Request, error: Exception) -> Response:
    assert isinstance(error, SignInRequired)  # noqa: S101 - as above
    return RedirectResponse(error.url, 303)


async def _unexpected(_: Request, __: Exception) -> Response:
    return failure(500, "The hub failed; its log says why.")
