"""A hub that can be told to misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from hub_callbacks import wire
from hub_callbacks.testing import faults
from hub_callbacks.testing.answer import Answer, refusal
from hub_callbacks.testing.desk import Desk, route
from hub_callbacks.testing.exchange import HTML, JSON, HttpExchange, HttpServer
from hub_callbacks.testing.faults import Fault
from hub_callbacks.testing.received import Endpoint, ReceivedCheckpoint, ReceivedRequest, ReceivedRun
from hub_callbacks.testing.tus import Uploads, is_upload

T = TypeVar("T")

FEATURES = tuple(feature for feature in wire.FEATURES if feature != "runs")


class FaultHub:
    """A hub on loopback that keeps what it gets in memory, and has one switch for each misbehaviour.

    It speaks enough HUB v1 for a courier: creation, rows, summary, checkpoint (tus and multipart), artifact, heartbeat
    and state, and what ``GET /v1/hub`` is asked for. Any API key will do. Use it as a context manager::

        with FaultHub() as hub:
            hub.answer(503, retry_after_s=0, on="metrics")
            ...
            hub.heal()

    A switch may be set at any time, from any thread, on one endpoint or on ``"all"``; one that is set on an endpoint
    goes before one on all, and a later one replaces an earlier one of the same endpoint. It stays until `heal`.

    Attributes:
        port: Where it listens; the same through `refuse` and `heal`.
        url: Root of its API, and of its pages.
        requests: Every request, in the order in which they came.
    """

    def __init__(self, *, features: Iterable[str] = FEATURES, heartbeat_s: float | None = None) -> None:
        """Start it, on a free port.

        Args:
            features: What ``GET /v1/hub`` lists; without ``proposed-ids`` the hub gives every run an id of its own,
                without ``tus`` a courier sends checkpoints as forms.
            heartbeat_s: The interval that the replies to heartbeats ask for; None for none.
        """
        self.requests: list[ReceivedRequest] = []
        self._desk = Desk(features=tuple(features), heartbeat_s=heartbeat_s)
        self._uploads = Uploads(self._publish)
        self._faults: dict[Endpoint, Fault] = {}
        self._changed = threading.Condition()
        self._closed_port: socket.socket | None = None
        self._server = HttpServer(0, self._exchange, self._serve)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> FaultHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def runs(self) -> dict[str, ReceivedRun]:
        """What came, by the run's id on this hub; look at it in `wait_for` while more may come."""
        return self._desk.runs

    def close(self) -> None:
        """Stop it for good; connections that are open break off."""
        self.refuse()
        if self._closed_port:
            self._closed_port.close()
        self._clear()

    # The switches

    def answer(self, status: int, *, retry_after_s: float | None = None, on: Endpoint = "all") -> None:
        """Answer with a status, in the hub's own envelope, and do nothing.

        Args:
            status: Such as 503.
            retry_after_s: Seconds for ``Retry-After``; no such header when None.
            on: The endpoint.
        """
        own = {"content-type": JSON, wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
        headers = own if retry_after_s is None else {**own, "retry-after": f"{retry_after_s:g}"}
        body = refusal(status, f"FaultHub was told to answer {status}.").body
        self._set(on, faults.replying(f"answer {status}", status, body, headers))

    def redirect(self, location: str = "https://hub.example/", *, on: Endpoint = "all") -> None:
        """Answer 307, and that the hub has moved to ``location``."""
        self._set(on, faults.replying("redirect", 307, b"", {"location": location}))

    def capture(self, *, status: int = 200, on: Endpoint = "all") -> None:
        """Answer with a page of HTML, as the captive portal of a hotel does, or a gateway.

        Args:
            status: Such as 404, a gateway's that knows no hub.
            on: The endpoint.
        """
        name = "capture" if status == 200 else f"capture {status}"
        self._set(on, faults.replying(name, status, faults.PORTAL, {"content-type": HTML}))

    def garble(self, *, on: Endpoint = "all") -> None:
        """Answer 200 with JSON that is not the hub's."""
        self._set(on, faults.replying("garble", 200, b'{"status": "ok"}', {"content-type": JSON}))

    def truncate(self, *, on: Endpoint = "all") -> None:
        """Do what is asked, and break off in the middle of the reply's body; of its head where it has no body."""
        self._set(on, Fault("truncate", faults.truncate))

    def trickle(self, *, interval_s: float = 1.0, on: Endpoint = "all") -> None:
        """Do what is asked, and send the reply's body a byte at a time; its head where it has no body.

        Args:
            interval_s: Seconds between two bytes.
            on: The endpoint.
        """
        self._set(on, Fault("trickle", partial(faults.trickle, interval_s=interval_s)))

    def hang(self, *, on: Endpoint = "all") -> None:
        """Accept the connection, read the request's headers, and never answer: a black hole.

        When the switch goes off, the connections that hang are reset.
        """
        self._set(on, Fault("hang", faults.hang))

    def reset_before_body(self, *, on: Endpoint = "all") -> None:
        """Reset the connection when the headers are read."""
        self._set(on, Fault("reset before the body", partial(faults.reset, share=0.0)))

    def reset_within_body(self, *, on: Endpoint = "all") -> None:
        """Reset the connection when half of the body is read; an upload by tus goes on behind that half."""
        self._set(on, Fault("reset within the body", partial(faults.reset, share=0.5)))

    def rewind(self) -> None:
        """Forget, before each request for a checkpoint, what has come of it by tus: the client's offset is wrong."""
        change = partial(faults.answer_after, change=self._uploads.rewind)
        self._set("checkpoint", Fault("rewind", change))

    def expire(self) -> None:
        """Forget, before each request for a checkpoint, the upload by tus itself."""
        change = partial(faults.answer_after, change=self._uploads.expire)
        self._set("checkpoint", Fault("expire", change))

    def refuse(self) -> None:
        """Refuse every connection, as if the hub were down; those that are open break off.

        There is no endpoint to choose: no request is ever heard.
        """
        if self._closed_port is None:
            self._server.stop()
            self._closed_port = socket.socket()
            self._closed_port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._closed_port.bind(("127.0.0.1", self.port))  # so that nobody else gets it; it does not listen

    def heal(self, *, on: Endpoint = "all") -> None:
        """Set the switch of an endpoint off; without an endpoint, every switch."""
        if on != "all":
            self._set(on, None)
            return
        self._clear()
        if self._closed_port:
            self._closed_port.close()
            self._closed_port = None
            self._server = HttpServer(self.port, self._exchange, self._serve)

    # What tests ask

    def wait_for(self, condition: Callable[[FaultHub], T], *, timeout_s: float = 60.0) -> T:
        """What the condition gives as soon as that is true; it is asked at once, and after every request.

        No request is served while it is asked.

        Raises:
            TimeoutError: It is not true in time.
        """
        give_up_at = time.monotonic() + timeout_s
        with self._changed:
            while not (value := condition(self)):
                if not self._changed.wait(give_up_at - time.monotonic()):
                    raise TimeoutError(f"It did not come true in {timeout_s:g} s; the requests: {self.requests}.")
            return value

    def met(self, endpoint: Endpoint = "all") -> list[ReceivedRequest]:
        """The requests to an endpoint that have met a switch so far."""
        return [request for request in self.requests if request.fault and endpoint in {"all", request.endpoint}]

    # How it works

    def _set(self, on: Endpoint, fault: Fault | None) -> None:
        with self._changed:
            before = self._faults.pop(on, None)
            if fault:
                self._faults[on] = fault
        if before:
            before.over.set()

    def _clear(self) -> None:
        for endpoint in list(self._faults):
            self._set(endpoint, None)

    def _exchange(self, exchange: HttpExchange) -> None:
        endpoint, _ = route(exchange.command, exchange.path)
        with self._changed:
            fault = self._faults.get(endpoint) or self._faults.get("all")
            name = fault.name if fault else ""
            self.requests.append(
                ReceivedRequest(method=exchange.command, path=exchange.path, endpoint=endpoint, fault=name)
            )
            self._changed.notify_all()
        if fault:
            fault.act(exchange, fault.over)
        else:
            exchange.answer()

    def _serve(self, exchange: HttpExchange) -> Answer:
        endpoint, run_id = route(exchange.command, exchange.path)
        if is_upload(exchange.path) and run_id in self.runs:
            return self._serve_upload(exchange, run_id)
        try:
            body = _body(endpoint, exchange)
        except ValueError as error:
            return refusal(422, str(error))
        with self._changed:
            answer = self._desk.take(endpoint, run_id, body)
            self._changed.notify_all()
        return answer

    def _serve_upload(self, exchange: HttpExchange, run_id: str) -> Answer:
        try:
            return self._uploads.take(exchange.command, exchange.path, run_id, exchange.headers, exchange.pieces())
        except ValueError as error:
            return refusal(422, str(error))
        finally:
            exchange.drain()  # what was refused before it was read

    def _publish(self, run_id: str, checkpoint: ReceivedCheckpoint) -> None:
        with self._changed:
            self.runs[run_id].checkpoints.append(checkpoint)
            self._changed.notify_all()


def _body(endpoint: Endpoint, exchange: HttpExchange) -> Any:
    if endpoint == "checkpoint":
        return exchange.form().checkpoint()
    if endpoint == "artifact":
        return exchange.form().artifact()
    return exchange.json()
