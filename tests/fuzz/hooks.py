"""What schemathesis loads beside its own checks: no key is in any reply but in the one that makes it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import schemathesis

from hub_callbacks import wire

_MADE = Path(os.environ["FUZZ_KEYS"])  # the keys that were made so far, a line each; fuzz.py looks for them in the log
_keys = _MADE.read_bytes().split()
schemathesis.serializer.alias(wire.TUS_CONTENT_TYPE, "application/octet-stream")


@schemathesis.check
def no_key_in_reply(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    said = response.content + json.dumps(dict(response.headers)).encode()
    for key in _keys:
        assert key not in said, f"The reply to {case.operation.label} holds a key."
    if case.operation.label == "POST /v1/keys" and response.status_code == 200:
        key = json.loads(response.content)["data"]["key"]
        _keys.append(key.encode())
        with _MADE.open("a") as file:
            file.write(f"{key}\n")
