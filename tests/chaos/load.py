"""Clients that keep a hub busy, and remember what it has acknowledged."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import requests

from hub_callbacks import wire

_TIMEOUT_S = 30.0
_PAUSE_S = 0.02  # of a client whose hub is away
_TUS = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}


@dataclass
class Client:
    """One client with a run of its own, in a thread of its own.

    Attributes:
        rows: Epoch to the value that was acknowledged.
        checkpoints: SHA-256 of each checkpoint that was.
        refusals: What the hub said where it refused; nothing is asked of it that it may refuse.
    """

    url: str
    key: str
    rng: random.Random
    rows: dict[int, float] = field(default_factory=dict)
    checkpoints: set[str] = field(default_factory=set)
    model_id: str = field(default_factory=wire.new_id)
    refusals: list[str] = field(default_factory=list)
    _has_begun: bool = False
    _epoch: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.checkpoints)

    def work(self, is_over: threading.Event) -> None:
        """Report rows and send checkpoints until the event."""
        with self._session() as session:
            while not is_over.is_set():
                self._try(session)

    def faults(self) -> Iterator[str]:
        """What the hub has not kept, a line each."""
        yield from (f"refused: {refusal}" for refusal in self.refusals)
        with self._session() as session:
            series = self._ask(session, "GET", wire.metrics(self.model_id)).json()["data"]
            found = {int(epoch): value for metric in series for epoch, value in metric["data"].items()}
            if lost := [epoch for epoch, value in self.rows.items() if found.get(epoch) != value]:
                yield f"lost: rows {lost} of {self.model_id}"
            there = self._ask(session, "GET", wire.checkpoints(self.model_id)).json()["data"]
            if gone := self.checkpoints - {one["sha256"] for one in there}:
                yield f"lost: checkpoints {sorted(gone)} of {self.model_id}"
            for one in there:
                content = session.get(one["url"], timeout=_TIMEOUT_S).content
                if hashlib.sha256(content).hexdigest() != one["sha256"]:
                    yield f"torn: checkpoint {one}"

    def _try(self, session: requests.Session) -> None:
        """Do one thing."""
        try:
            if not self._has_begun:
                self._ask(session, "POST", wire.MODELS, json={"id": self.model_id, "meta": {"name": "busy"}})
                self._has_begun = True
            self.rng.choices((self._row, self._form, self._parts), (8, 1, 1))[0](session)
        except requests.RequestException as error:  # it was killed: what was not acknowledged may be there, or not
            if error.response is not None and error.response.status_code < 500:
                self.refusals.append(error.response.text)
            time.sleep(_PAUSE_S)

    def _row(self, session: requests.Session) -> None:
        epoch, value = self._next(), self.rng.random()
        body = {"type": "metrics", "metrics": {str(epoch): json.dumps({"loss": value})}}
        self._ask(session, "POST", wire.model(self.model_id), json=body)
        self.rows[epoch] = value

    def _form(self, session: requests.Session) -> None:
        content = self._content()
        form = {"epoch": self._next(), "type": "epoch", wire.SHA256_FIELD: _sha256(content)}
        self._ask(session, "POST", wire.upload(self.model_id), data=form, files={"last.pt": content})
        self.checkpoints.add(_sha256(content))

    def _parts(self, session: requests.Session) -> None:
        content = self._content()
        said = {"filename": "last.pt", "epoch": self._next(), "type": "epoch", wire.SHA256_FIELD: _sha256(content)}
        headers = {
            wire.UPLOAD_LENGTH_HEADER: str(len(content)),
            wire.UPLOAD_METADATA_HEADER: wire.upload_metadata(said),
        }
        begun = self._ask(session, "POST", wire.uploads(self.model_id), headers={**_TUS, **headers})
        cut = self.rng.randrange(1, len(content))
        for start, part in ((0, content[:cut]), (cut, content[cut:])):
            headers = {wire.UPLOAD_OFFSET_HEADER: str(start), "Content-Type": wire.TUS_CONTENT_TYPE}
            self._ask(session, "PATCH", begun.headers["location"], data=part, headers={**_TUS, **headers})
        self.checkpoints.add(_sha256(content))

    def _content(self) -> bytes:
        return b"PK\x03\x04" + self.rng.randbytes(self.rng.randrange(1000, 300_000))

    def _next(self) -> int:
        self._epoch += 1
        return self._epoch

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.headers[wire.API_KEY_HEADER] = self.key
        return session

    def _ask(self, session: requests.Session, method: str, path: str, **options: object) -> requests.Response:
        reply = session.request(method, self.url + path, timeout=_TIMEOUT_S, **options)  # type: ignore[arg-type] # as they come
        reply.raise_for_status()
        return reply


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
