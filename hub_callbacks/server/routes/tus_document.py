"""What the OpenAPI document says of tus' headers and bodies, which the routes read for themselves."""

from __future__ import annotations

from typing import Any, Final

from hub_callbacks import wire

_BYTES: Final = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_CHECKSUM: Final = "^sha(256|1) [A-Za-z0-9+/]{27,43}=$"
_PAIR: Final = "[A-Za-z0-9]+ ([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_VERSION: Final = (wire.TUS_RESUMABLE_HEADER, {"type": "string", "enum": [wire.TUS_VERSION]}, True)


def in_path(*names: str) -> dict[str, Any]:
    """Parts of a path that the route itself does not look at."""
    described = {"in": "path", "required": True, "schema": {"type": "string"}}
    return {"parameters": [{"name": name, **described} for name in names]}


def _headers(*named: tuple[str, dict[str, Any], bool]) -> dict[str, Any]:
    return {
        "parameters": [
            {"name": name, "in": "header", "required": is_required, "schema": schema}
            for name, schema, is_required in (_VERSION, *named)
        ]
    }


ANY: Final = _headers()
CREATE: Final = _headers(
    (wire.UPLOAD_LENGTH_HEADER, {**_BYTES, "minimum": 1}, True),
    (wire.UPLOAD_METADATA_HEADER, {"type": "string", "pattern": f"^{_PAIR}(,{_PAIR})*$"}, True),
)
APPEND: Final = {
    **_headers(
        (wire.UPLOAD_OFFSET_HEADER, _BYTES, True),
        (wire.UPLOAD_CHECKSUM_HEADER, {"type": "string", "pattern": _CHECKSUM}, False),
        (wire.REPR_DIGEST_HEADER, {"type": "string"}, False),
    ),
    "requestBody": {
        "required": True,
        "content": {wire.TUS_CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    },
}
