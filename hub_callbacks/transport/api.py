"""The hub's endpoints, a method each."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import requests

from hub_callbacks import wire
from hub_callbacks.records import Artifact, EpochsPlanned, Metrics, RunFinished, RunStarted, Summary, finite
from hub_callbacks.transport import tus
from hub_callbacks.transport.download import blocks
from hub_callbacks.transport.http import request, send
from hub_callbacks.transport.part import Part
from hub_callbacks.transport.timeouts import new_session
from hub_callbacks.transport.upload import Upload, artifact_form

END_BYTES = 1 << 16  # of a file, sent when its hash is known


class HubApi:
    """One hub, over one pool of connections, for one thread.

    Every method returns when the hub has acknowledged, and raises a `TransportError` when it has not.
    """

    def __init__(self, api_url: str, api_key: str) -> None:
        self.api_url = api_url
        self._session = new_session()
        self._session.trust_env = not api_url.startswith("http://127.")  # no proxy, no .netrc on loopback
        if api_key:
            self._session.headers[wire.API_KEY_HEADER] = api_key

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def speak_for(self, attempt: float) -> None:
        """Say of every request from now on which training it is of: that which began then (Unix time, seconds)."""
        self._session.headers[wire.ATTEMPT_HEADER] = repr(attempt)

    def is_reachable(self, *, timeout_s: float = 2.0) -> bool:
        """Whether a hub answers there."""
        try:
            return self._session.get(self.api_url + wire.HEALTH, timeout=timeout_s).ok
        except (requests.RequestException, OSError):
            return False

    def is_that(self, hub: wire.LocalHub, *, timeout_s: float = 2.0) -> bool:
        """Whether the hub that left that note answers there, and no other one that has its port by now."""
        challenge = secrets.token_hex(16)
        headers = {wire.CHALLENGE_HEADER: challenge}
        try:
            reply = self._session.get(self.api_url + wire.HEALTH, headers=headers, timeout=timeout_s)
        except (requests.RequestException, OSError):
            return False
        proof = wire.proof(hub.seal, challenge)
        return hmac.compare_digest(reply.headers.get(wire.PROOF_HEADER, "").encode(), proof.encode())

    def info(self) -> wire.HubInfo:
        """What the hub is and can."""
        info: wire.HubInfo = self._request("GET", wire.HUB, read=_info)
        return info

    def authenticate(self) -> None:
        """Have the key checked.

        Raises:
            UnauthorizedError: The hub does not know it.
        """
        self._request("POST", wire.AUTH)

    def sign_in_path(self) -> str:
        """A path under the web root that signs a browser in, for a short time."""
        return str(self._request("POST", wire.SIGN_IN, read=partial(_text, name="url")))

    def create(self, run_id: str, record: RunStarted) -> str:
        """Create the model, or find the one of that id again; the id that the hub gave it."""
        return self.plan(creation(run_id, record))

    def plan(self, body: wire.CreateBody) -> str:
        """Create a model that is to be trained; its id."""
        return str(self._request("POST", wire.MODELS, read=partial(_text, name="id"), json=body))

    def change(self, model_id: str, body: wire.CreateBody) -> None:
        """Lay that over what the hub knows of the model."""
        self._request("PATCH", wire.model(model_id), json=body)

    def read(self, model_id: str) -> dict[str, Any]:
        """The model, as HUB v1 describes it; empty where a hub says so rather than 404."""
        model: dict[str, Any] = self._request("GET", wire.model(model_id), read=lambda data: dict(data or {}))
        return model

    def check_own(self, model_id: str) -> None:
        """Have the hub check that the model may be changed, by a change of nothing.

        Raises:
            ForbiddenError: It is another's.
        """
        self.change(model_id, {})

    def reset(self, model_id: str) -> None:
        """Make the model new again: its metrics, checkpoints and pictures are deleted."""
        self._request("POST", wire.RESET, json={"modelId": model_id})

    def runs(self, query: wire.RunQuery) -> wire.RunList:
        """One page of the runs that the query is about (feature ``runs``)."""
        found: wire.RunList = self._request("GET", wire.RUNS, params=query, read=_runs)
        return found

    def run(self, run_id: str) -> dict[str, Any]:
        """One run, as a list of runs tells of it (feature ``runs``)."""
        told: dict[str, Any] = self._request("GET", wire.run(run_id), read=dict)
        return told

    def export(self, form: wire.ExportForm, query: wire.RunQuery, *, model_id: str = "") -> Iterator[bytes]:
        """The metrics of a model, or of the runs that the query is about, as a file, as it comes (feature ``runs``).

        Unlike other replies it may be long: its time-out is for a silence, not for the whole.
        """
        with requests.Session() as session:
            session.trust_env = self._session.trust_env
            session.headers = self._session.headers
            with send(session, "GET", self.api_url + wire.export(form, model_id), params=query, stream=True) as reply:
                yield from blocks(reply)

    def checkpoints(self, model_id: str) -> list[wire.Stored]:
        """The model's published checkpoints, newest first."""
        stored: list[wire.Stored] = self._request("GET", wire.checkpoints(model_id), read=list)
        return stored

    def put_metrics(self, model_id: str, rows: Sequence[Metrics]) -> None:
        """Insert or replace rows by epoch."""
        body: wire.MetricsBody = {
            "type": "metrics",
            "metrics": {str(row.epoch): json.dumps(dict(row.values)) for row in rows},
        }
        self._request("POST", wire.model(model_id), json=body)

    def put_summary(self, model_id: str, record: Summary) -> None:
        """Set what the best checkpoint scored."""
        self._request("PATCH", wire.model(model_id), json={"summary": finite(record.values)})

    def put_epochs(self, model_id: str, record: EpochsPlanned) -> None:
        """Say how many epochs are planned by now."""
        self._request("PATCH", wire.model(model_id), json={"run": {"epochs": record.epochs}})

    def put_state(self, model_id: str, record: RunFinished) -> None:
        """Say how the run ended."""
        body: wire.StateBody = {"state": record.state, "reason": record.reason, "at": record.finished_at}
        self._request("POST", wire.state(model_id), json=body)

    def upload(self, model_id: str, upload: Upload) -> None:
        """Send a checkpoint in one request; its bytes are on the hub, verified, when this returns."""
        with upload.path.open("rb") as file:
            form = upload.form(file)
            self._request("POST", wire.upload(model_id), data=form, headers={"content-type": form.content_type})

    def upload_resumably(self, model_id: str, upload: Upload) -> None:
        """Send a checkpoint from where an earlier try broke off; it is on the hub, verified, when this returns."""
        offset = tus.offset_bytes(self._session, upload.url) if upload.url else None
        url = upload.url
        if offset is None:
            url, offset = self._create_upload(model_id, upload)
        with ThreadPoolExecutor(1) as aside, upload.path.open("rb") as file:
            sha256 = aside.submit(upload.sha256)  # while the rest is sent; only its end needs it
            while (left := upload.checkpoint.size_bytes - offset) > 0:
                size_bytes = _next_bytes(left, is_retry=upload.is_retry)
                part = Part(file, offset=offset, size_bytes=size_bytes, on_sent=upload.on_progress)
                file_sha256 = sha256.result() if size_bytes == left else ""
                offset = tus.put(
                    self._session, url, part, offset=offset, file_sha256=file_sha256, is_checked=upload.is_retry
                )
                upload.on_progress(offset)

    def put_artifact(self, model_id: str, artifact: Artifact, path: Path) -> None:
        """Send what a training has drawn; it is on the hub, verified, when this returns."""
        with path.open("rb") as file:
            form = artifact_form(artifact, file)
            self._request("POST", wire.artifacts(model_id), data=form, headers={"content-type": form.content_type})

    def heartbeat(self, model_id: str, body: wire.HeartbeatBody) -> wire.HeartbeatReply | None:
        """Say that the training lives; the reply's ``agentId`` is the one to send next time."""
        reply: wire.HeartbeatReply | None = self._request("POST", wire.heartbeat(model_id), json=body)
        return reply if isinstance(reply, dict) else None

    def _create_upload(self, model_id: str, upload: Upload) -> tuple[str, int]:
        url, offset = tus.create(
            self._session,
            self.api_url + wire.uploads(model_id),
            size_bytes=upload.path.stat().st_size,
            metadata={"filename": upload.checkpoint.filename, **upload.fields()},
        )
        upload.on_created(url)
        if offset is None:
            offset = tus.offset_bytes(self._session, url)
        return url, offset or 0

    def _request(self, method: str, path: str, **kwargs: Any) -> Any:
        return request(self._session, method, self.api_url + path, **kwargs)


def _next_bytes(left: int, *, is_retry: bool) -> int:
    """Bytes of the next request, of so many that are left: all but the end, which goes with the hash of the file.

    A try after one that went wrong goes chunk by chunk, so that each can be checked.
    """
    if is_retry:
        return min(left, wire.TUS_CHUNK_BYTES)
    return left - END_BYTES if left > END_BYTES else left


def _info(data: Any) -> Any:
    return {**data, "features": [str(feature) for feature in data["features"]]}


def _runs(data: Any) -> wire.RunList:
    return {"results": list(data["results"]), "total": int(data["total"])}


def _text(data: Any, name: str) -> str:
    if not isinstance(data[name], str):
        raise TypeError(name)
    return str(data[name])


def creation(run_id: str, record: RunStarted) -> wire.CreateBody:
    """The body that creates a run's model: HUB v1's fields, and ours beside them."""
    args = record.args
    stem, _, suffix = record.model.rpartition(".")
    return {
        "id": run_id,
        "meta": {"name": record.name},
        "config": {
            "batchSize": args.get("batch", -1),
            **({"epochs": record.epochs} if record.epochs else {}),
            "imageSize": args.get("imgsz", 640),
            "patience": args.get("patience", 100),
            "device": str(args.get("device", "")),
            "cache": str(args.get("cache", "")),
        },
        "dataset": {"name": record.dataset},
        "lineage": {
            "architecture": {"name": stem or record.model},
            "parent": {"name": record.model} if suffix == "pt" else {},
        },
        "run": {
            "project": record.project,
            "task": record.task,
            "epochs": record.epochs,
            "startEpoch": record.start_epoch,
            "args": dict(args),
            "environment": dict(record.environment),
            "startedAt": record.started_at,
        },
    }
