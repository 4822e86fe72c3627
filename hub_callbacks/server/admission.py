"""Who may call each route: the one table of it, which the reference shows and the tests hold every route to.

The routes themselves let nobody else in, by the dependencies of `hub_callbacks.server.auth` and
`hub_callbacks.server.routes.access`. A route that is not in the table fails the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import compile_path

Who = Literal[
    "anyone",
    "link",
    "reader",
    "public",
    "viewer",
    "trainer",
    "changer",
    "themselves",
    "admin",
    "page",
    "page-trainer",
    "page-changer",
    "page-themselves",
    "page-admin",
    "session",
]

MEANINGS: Final[Mapping[Who, str]] = MappingProxyType(
    {
        "anyone": "anyone",
        "link": "whoever has the signed address",
        "reader": "whoever may read it; no key is needed where it is public",
        "public": "anyone, for what is public; viewers, for the rest that they may read",
        "viewer": "viewers",
        "trainer": "trainers",
        "changer": "whoever may change it",
        "themselves": "the user themselves, and admins",
        "admin": "admins, with a key that is not limited",
        "page": "signed-in browsers, for what they may read",
        "page-trainer": "signed-in browsers of trainers",
        "page-changer": "signed-in browsers, for what they may change",
        "page-themselves": "signed-in browsers of the user themselves, and of admins",
        "page-admin": "signed-in browsers of admins, with a key that is not limited",
        "session": "signed-in browsers",
    }
)

_TABLE: Final[Mapping[Who, str]] = {
    "anyone": """
        GET /openapi.json
        GET /v1/hub
        GET /healthz
        GET /readyz
        POST /v1/auth/email
        OPTIONS /v1/models/{model_id}/uploads
        OPTIONS /v1/models/{model_id}/uploads/{upload_id}
        GET /v1/public/models
        GET /v1/public/datasets
        GET /v1/public/projects
        POST /get-export
        POST /v1/models/{model_id}/export
        POST /v1/predict/{model_id}
        GET /login
        POST /login
        POST /logout
        GET /static/{version}/{name}
    """,
    "link": """
        GET /v1/files/{file_id}/{name:path}
        HEAD /v1/files/{file_id}/{name:path}
    """,
    "reader": """
        GET /v1/models/{model_id}
        GET /v1/models/{model_id}/metrics
        GET /v1/models/{model_id}/metrics.{form}
        GET /v1/runs/{model_id}
        GET /v1/models/{model_id}/checkpoints
        GET /v1/models/{model_id}/artifacts
        GET /v1/models/{model_id}/artifacts/{artifact_id}
        GET /v1/datasets/{dataset_id}
        GET /v1/projects/{project_id}
        POST /v1/storage
    """,
    "public": """
        GET /v1/models
        GET /v1/datasets
        GET /v1/projects
    """,
    "viewer": """
        GET /metrics
        POST /v1/auth
        POST /v1/auth/browser
        GET /v1/runs
        GET /v1/runs/metrics.{form}
        GET /v1/projects/{project_id}/members
        GET /v1/users
        GET /v1/users/{user_id}
        POST /v1/keys
        GET /v1/keys
    """,
    "trainer": """
        POST /v1/models
        POST /v1/datasets
        POST /v1/projects
    """,
    "changer": """
        PATCH /v1/models/{model_id}
        DELETE /v1/models/{model_id}
        POST /model-reset
        POST /v1/models/{model_id}
        POST /v1/models/{model_id}/upload
        POST /v1/models/{model_id}/uploads
        HEAD /v1/models/{model_id}/uploads/{upload_id}
        PATCH /v1/models/{model_id}/uploads/{upload_id}
        DELETE /v1/models/{model_id}/uploads/{upload_id}
        POST /v1/models/{model_id}/artifacts
        POST /v1/agent/heartbeat/models/{model_id}
        POST /v1/models/{model_id}/state
        POST /v1/models/{model_id}/commands
        PATCH /v1/datasets/{dataset_id}
        DELETE /v1/datasets/{dataset_id}
        POST /v1/datasets/{dataset_id}/upload
        PATCH /v1/projects/{project_id}
        DELETE /v1/projects/{project_id}
        POST /v1/projects/{project_id}/upload
        PUT /v1/projects/{project_id}/members/{user}
        DELETE /v1/projects/{project_id}/members/{user}
    """,
    "themselves": """
        PATCH /v1/users/{user_id}
        DELETE /v1/keys/{key_id}
    """,
    "admin": """
        POST /v1/users
        DELETE /v1/users/{user_id}
        GET /v1/audit
    """,
    "page": """
        GET /
        GET /live/runs
        GET /models/{model_id}
        GET /live/models/{model_id}
        GET /compare
        GET /live/compare
        GET /keys
        GET /projects
        GET /projects/{project_id}
        GET /datasets
    """,
    "page-trainer": """
        POST /projects
    """,
    "page-changer": """
        POST /models/{model_id}/stop
        POST /models/{model_id}/edit
        POST /models/{model_id}/delete
        POST /models/{model_id}/restore
        POST /projects/{project_id}/share
        POST /projects/{project_id}/unshare
        POST /projects/{project_id}/edit
        POST /projects/{project_id}/delete
        POST /datasets/{dataset_id}/delete
    """,
    "page-themselves": """
        GET /users/{user_id}
        POST /users/{user_id}
        POST /users/{user_id}/keys
    """,
    "page-admin": """
        GET /users
        POST /users
        POST /users/{user_id}/lock
        POST /users/{user_id}/delete
    """,
    "session": """
        POST /keys
        POST /keys/{key_id}/revoke
        POST /v1/auth/auto
    """,
}

ADMISSION: Final[Mapping[str, Who]] = MappingProxyType(
    {line.strip(): who for who, lines in _TABLE.items() for line in lines.strip().splitlines()}
)


_ADMITTED: Final = {route.replace(":path}", "}"): who for route, who in ADMISSION.items()}
_PATHS: Final = [(route.partition(" ")[0], compile_path(route.partition(" ")[2])[0]) for route in ADMISSION]


def methods(path: str) -> list[str]:
    """The methods of the routes at that path."""
    return sorted({method for method, pattern in _PATHS if pattern.match(path)})


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, which says where a key may be left out."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path, item in app.openapi_schema["paths"].items():
            for method, operation in item.items():
                if _ADMITTED.get(f"{method.upper()} {path}") in {"reader", "public"}:
                    operation["security"] = [*operation.get("security", []), {}]
    return app.openapi_schema


def routes(router: Any) -> Iterator[str]:
    """Every route of an application or router, as the table names them; those within included routers, too."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner)
            continue
        for method in route.methods or ():
            if method != "HEAD" or "GET" not in route.methods:  # Starlette adds HEAD to what it serves by GET
                yield f"{method} {route.path}"
