"""The end of a training: a bounded wait, with one progress bar, and the receipt."""

from __future__ import annotations

import logging
import sys

import click

from hub_callbacks.courier.process import pid
from hub_callbacks.outbox import OutboxFolder, RunStatus
from hub_callbacks.session import HUBTrainingSession

logger = logging.getLogger("ultralytics")


def show_delivery(session: HUBTrainingSession, *, wait_s: float) -> None:
    """Wait for the delivery so long at most, then say what is delivered and what is left.

    Ctrl-C ends the wait, not the delivery.
    """
    try:
        _wait(session, wait_s)
    except KeyboardInterrupt:
        logger.info("HUB: Not waiting any longer.")
    status = session.status()
    if left := status.left():
        logger.info("HUB: %s. Left: %s. %s", status.receipt(), ", ".join(left), _outlook(session, status))
        logger.info("HUB: Look: hub-callbacks status. Deliver: hub-callbacks sync. Page: %s", session.model_url)
    else:
        logger.info("HUB: %s: %s", status.receipt(), session.model_url)


def _outlook(session: HUBTrainingSession, status: RunStatus) -> str:
    """Whether what is left will be delivered by itself, and what is in the way."""
    if not status.pending:
        return "The hub refused it."
    if status.hub.paused:
        return f"Deliveries pause, since the hub refuses the key: {status.hub.paused}"
    if pid(OutboxFolder.under(session.settings.data_dir)) is None:
        return "The courier is not running; it starts with the next training or sync."
    return f"Delivery goes on in the background. {status.trouble}".rstrip()


def _wait(session: HUBTrainingSession, wait_s: float) -> None:
    total_bytes = session.status().bytes_pending
    statuses = session.wait(wait_s)
    if not sys.stderr.isatty():
        for _ in statuses:
            pass
        return
    with click.progressbar(length=max(total_bytes, 1), label="HUB: delivering", file=sys.stderr) as bar:
        for status in statuses:
            bar.label = f"HUB: {status.epochs_acknowledged}/{status.epochs_recorded} epochs"
            bar.update(total_bytes - status.bytes_pending - bar.pos)
            bar.render_progress()  # `update` does it only when bytes have moved
