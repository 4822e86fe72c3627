"""What operators watch: a log line and some numbers for every request. No query, no header, no key is in them."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_callbacks.kinds import LogForm

log = logging.getLogger("hub_callbacks.access")
_KEY_LIKE: Final = re.compile(r"[A-Za-z0-9]{42,}")  # somebody may write a key into a path
_PLAIN: Final = "/:@!$&'()*+,;="  # RFC 3986, section 3.3; a line break in a path must begin no line of the log
_NO_ROUTE: Final = "none"  # paths that nobody serves are no label: each would be a series of its own
_METHODS: Final = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
_TOGETHER: Final = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's: a folder where processes leave what they count
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Numbers:
    """What this process counts for Prometheus, alone or with others (`counted_together`).

    The event loop's thread alone changes it.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        by_route = ("method", "route")
        self.requests = self._new(Counter, "requests", "Requests answered.", (*by_route, "status"))
        self.seconds = self._new(Histogram, "request_seconds", "From request to the end of its reply.", by_route)
        self.in_flight = self._new(Gauge, "requests_in_flight", "Requests that are being answered.", together="livesum")
        self.received = self._new(Counter, "received_bytes", "Bytes of requests' bodies.")
        self.sent = self._new(Counter, "sent_bytes", "Bytes of replies' bodies.")
        self.things = self._new(Gauge, "things", "What the store holds, by kind.", ("kind",), together="mostrecent")
        if _TOGETHER not in os.environ:  # else this process is one of several, of which any may be asked
            ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        registry = self._registry
        if _TOGETHER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _new(self, kind: Any, name: str, text: str, labels: tuple[str, ...] = (), *, together: str = "") -> Any:
        options: dict[str, Any] = {"buckets": _SECONDS} if kind is Histogram else {}
        if together:
            options["multiprocess_mode"] = together
        return kind(f"hub_callbacks_{name}", text, labels, registry=self._registry, **options)


@contextmanager
def counted_together() -> Iterator[Callable[[int], None]]:
    """Have the processes that are started in the block count into one set of `Numbers`.

    Yields:
        Takes the ID of a process that has died: it has no requests in flight.
    """
    with tempfile.TemporaryDirectory(prefix="hub-callbacks-") as folder:
        os.environ[_TOGETHER] = folder
        try:
            yield mark_process_dead
        finally:
            del os.environ[_TOGETHER]


class Observer:
    """ASGI middleware around everything: counts each request, and logs it where somebody listens to `log`."""

    def __init__(self, app: ASGIApp, *, numbers: Numbers) -> None:
        self._app, self._numbers = app, numbers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen()

        async def take() -> Message:
            message = await receive()
            seen.received_bytes += len(message.get("body", b""))
            return message

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            seen.sent_bytes += len(message.get("body", b""))
            await send(message)

        with self._numbers.in_flight.track_inprogress():
            try:
                await self._app(scope, take, answer)
            finally:
                self._note(scope, seen)

    def _note(self, scope: Scope, seen: _Seen) -> None:
        took_s = time.monotonic() - seen.begun_at
        route = str(getattr(scope.get("route"), "path", _NO_ROUTE))
        method = scope["method"] if scope["method"] in _METHODS else "other"
        numbers = self._numbers
        numbers.requests.labels(method, route, seen.status).inc()
        numbers.seconds.labels(method, route).observe(took_s)
        numbers.received.inc(seen.received_bytes)
        numbers.sent.inc(seen.sent_bytes)
        if log.isEnabledFor(logging.INFO):
            said = {
                "method": method,
                "path": _KEY_LIKE.sub("...", quote(scope["path"], safe=_PLAIN)),
                "route": route,
                "status": seen.status,
                "duration_ms": round(took_s * 1000, 1),
                "received_bytes": seen.received_bytes,
                "sent_bytes": seen.sent_bytes,
                "client": scope["client"][0] if scope.get("client") else "",
            }
            log.info("%s", json.dumps(said), extra={"access": said})


class _Seen:
    """One request, as far as it has gone; without a reply, its status is 499 as in nginx: the client has left."""

    def __init__(self) -> None:
        self.begun_at = time.monotonic()
        self.status = 499
        self.received_bytes = self.sent_bytes = 0


class _Lines(logging.Formatter):
    """Access lines as JSON or as text."""

    def __init__(self, form: LogForm) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z"
        said = {"time": at, **getattr(record, "access", {})}
        if self._form == "json":
            return json.dumps(said)
        return "{time} {client} {method} {path} {status} {duration_ms} ms".format_map(said)


def log_access(form: LogForm) -> None:
    """Write the access log to standard output from now on: for the process that serves, not for libraries."""
    if form == "off":
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines(form))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
