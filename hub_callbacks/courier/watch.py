"""Watching the trainers: heartbeats for those that live, a record of the end for those that died."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from filelock import FileLock, Timeout

from hub_callbacks.courier.connections import Connections
from hub_callbacks.errors import BusyError, TransportError
from hub_callbacks.outbox import HORIZON_S, Hub, Outbox, OutboxFolder, RunStatus
from hub_callbacks.records import RunFinished
from hub_callbacks.settings import is_on_colab

logger = logging.getLogger(__name__)

SHORTEST_BEAT_S, LONGEST_BEAT_S = 1.0, 3600.0  # whatever the hub asks for


def agent_name(environ: Mapping[str, str]) -> str:
    """What the heartbeats call this machine, in HUB v1's words."""
    return f"python-{platform.python_version()}-{'colab' if is_on_colab(environ) else 'local'}"


class Watch:
    """Watches the runs of one outbox that have no recorded end, for one thread."""

    def __init__(self, outbox: Outbox, connections: Connections, *, clock: Callable[[], float] = time.time) -> None:
        self._outbox = outbox
        self._connections = connections
        self._clock = clock
        self._beats: dict[str, tuple[float, float]] = {}  # when the last one was, and seconds until the next

    def look(self) -> bool:
        """Look at every running run once; False, since there is nothing more to do until the next look."""
        for run in self._outbox.runs.list(state="running"):
            if is_training(self._outbox.folder, run.id):
                self._beat(run)
            else:
                self._record_crash(run)
        return False

    def _beat(self, run: RunStatus) -> None:
        now = self._clock()
        beaten_at, interval_s = self._beats.get(run.id, (now, 0.0))
        if run.remote_id is None or _is_left_alone(run.hub, now) or beaten_at <= now < beaten_at + interval_s:
            return
        self._beats[run.id] = now, run.heartbeat_s  # also when there will be no reply
        try:
            api = self._connections.to(run.hub).api
            api.speak_for(run.started_at)
            reply = api.heartbeat(run.remote_id, {"agent": agent_name(os.environ), "agentId": run.agent_id})
        except BusyError as error:
            until = now + min(error.retry_after_s or 0.0, HORIZON_S)  # unasked, the next beat is late enough
            self._outbox.hubs.postpone(run.hub.api_url, until=until, reason=str(error))
        except TransportError as error:  # the next one will tell as much
            logger.info("Run %s: no heartbeat: %s", run.id, error)
        else:
            self._obey(run, reply or {})

    def _obey(self, run: RunStatus, reply: Mapping[str, Any]) -> None:
        """Take over what a heartbeat's reply says: our agent's id, when to beat again, what to do."""
        if (agent_id := reply.get("agentId")) and agent_id != run.agent_id:
            self._outbox.runs.set_agent_id(run.id, str(agent_id))
        if isinstance(interval_s := reply.get("interval"), (int, float)):
            self._beats[run.id] = self._clock(), min(max(interval_s, SHORTEST_BEAT_S), LONGEST_BEAT_S)
        for command in reply.get("commands") or ():
            if command.get("command") == "stop":
                self._outbox.runs.ask_to_stop(run.id, str(command.get("reason") or "Stopped from the hub."))

    def _record_crash(self, run: RunStatus) -> None:
        """Record it under the run's own lock: whoever resumes the run waits for it, or was there first."""
        record = RunFinished(state="crashed", reason="The training process is gone.", finished_at=self._clock())
        with suppress(Timeout), self._outbox.folder.vacated(run.id):
            self._outbox.take_in()  # what it recorded last comes before its end
            if self._outbox.runs.finish(run.id, record):
                logger.info("Run %s: the training process is gone", run.id)


def _is_left_alone(hub: Hub, now: float) -> bool:
    """Whether the hub has said that nobody shall ask it; one that does not answer may hear a heartbeat."""
    return bool(hub.paused) or (not hub.failures and now < hub.retry_at <= now + HORIZON_S)


def is_training(folder: OutboxFolder, run_id: str) -> bool:
    """Whether a process holds the run's lock."""
    path = folder.run_lock(run_id)
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
