"""What is on the hub, and what is wrong with it, by the trainer's own account."""

from __future__ import annotations

import hashlib
import signal
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from hub_callbacks import wire
from ledger import Account

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a hub has of all runs, of which there should be one at most.

    Attributes:
        models: Each model, as the hub describes it.
        series: Name and data of every metric.
        checkpoints: Each checkpoint, as the hub describes it, with the SHA-256 of its bytes as ``found``.
    """

    models: list[dict[str, Any]]
    series: list[tuple[str, dict[str, float]]]
    checkpoints: list[dict[str, Any]]

    @classmethod
    def fetch(cls, url: str, key: str) -> Delivered:
        """Everything that the hub has, its checkpoints downloaded."""
        with requests.Session() as session:
            session.trust_env = False
            session.headers[wire.API_KEY_HEADER] = key
            models = _ask(session, url + wire.MODELS)["results"]
            ids = [model["id"] for model in models]
            series = [line for model_id in ids for line in _ask(session, url + wire.metrics(model_id))]
            listed = [line for model_id in ids for line in _ask(session, url + wire.checkpoints(model_id))]
            return cls(
                models=models,
                series=[(line["meta"]["name"], line["data"]) for line in series],
                checkpoints=[{**line, "found": _sha256(session, line["url"])} for line in listed],
            )

    def rows(self) -> dict[int, dict[str, float]]:
        """Epoch to its row."""
        rows: defaultdict[int, dict[str, float]] = defaultdict(dict)
        for name, data in self.series:
            for epoch, value in data.items():
                rows[int(epoch)][name] = value
        return dict(rows)


def _ask(session: requests.Session, url: str) -> Any:
    reply = session.get(url, timeout=_TIMEOUT_S)
    reply.raise_for_status()
    return reply.json()["data"]


def _sha256(session: requests.Session, url: str) -> str:
    reply = session.get(url, timeout=_TIMEOUT_S)
    reply.raise_for_status()
    return hashlib.sha256(reply.content).hexdigest()


def faults(account: Account, delivered: Delivered, exitcode: int | None) -> list[str]:
    """Every difference between what the trainer made and what the hub has.

    Args:
        account: The trainer's.
        delivered: The hub's.
        exitcode: The trainer's, as `multiprocessing.Process.exitcode` says it.
    """
    was_killed = exitcode == -signal.SIGKILL
    return [
        *_run_faults(account, delivered, was_killed=was_killed),
        *_row_faults(account, delivered),
        *_checkpoint_faults(account, delivered, was_killed=was_killed),
        *([] if exitcode in {0, -signal.SIGKILL} else [f"the trainer's exit code is {exitcode}"]),
    ]


def _run_faults(account: Account, delivered: Delivered, *, was_killed: bool) -> Iterable[str]:
    if account.has_begun and not delivered.models:
        yield "lost: the run"
    if len(delivered.models) > 1:
        yield f"duplicated: the run, {len(delivered.models)} times"
    # Between the record of its end and the end of the process, a trainer that is killed has finished.
    allowed = {"finished"} if not was_killed else {"finished", "crashed"} if account.is_ending else {"crashed"}
    states = {model["run"]["state"] for model in delivered.models}
    if states - allowed:
        yield f"the run is {states}, not {allowed}"


def _row_faults(account: Account, delivered: Delivered) -> Iterable[str]:
    rows = delivered.rows()
    if lost := sorted(account.returned - rows.keys()):
        yield f"lost: the rows of epochs {lost}"
    if invented := sorted(rows.keys() - account.made.keys()):
        yield f"invented: the rows of epochs {invented}"
    if wrong := [epoch for epoch in rows.keys() & account.made.keys() if rows[epoch] != account.made[epoch]]:
        yield f"wrong: the rows of epochs {sorted(wrong)}"
    if twice := _repeated(name for name, _ in delivered.series):
        yield f"duplicated: the metrics {twice}"


def _checkpoint_faults(account: Account, delivered: Delivered, *, was_killed: bool) -> Iterable[str]:
    there = delivered.checkpoints
    if torn := [line for line in there if not line["found"] == line["sha256"] in account.saved]:
        yield f"torn: {torn}"
    if twice := _repeated((line["sha256"], line["isFinal"]) for line in there):
        yield f"duplicated: the checkpoints {twice}"
    newest = max((account.saved[line["found"]] for line in there if line["found"] in account.saved), default=-1)
    if newest < max(account.kept, default=-1):  # an older one may have been superseded, the newest may not
        yield f"lost: the checkpoint of epoch {max(account.kept)}; the newest there is of epoch {newest}"
    if not was_killed and not any(line["isFinal"] for line in there):
        yield "lost: the final model"


def _repeated(things: Iterable[object]) -> Mapping[object, int]:
    return {thing: count for thing, count in Counter(things).items() if count > 1}
