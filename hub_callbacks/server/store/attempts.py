"""Several trainings of one run, on one machine or on several: the one that began last holds, from its first epoch on.

An attempt is known by when it began (Unix time), and a client lets each begin after the one that it continues, whatever
its clock says. What an earlier one says late, of epochs that a later one trains anew, is refused: its rows may have
waited in the outbox of a machine that is only now back. After a reset, all of them are
earlier.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, select

from hub_callbacks.server.store import values
from hub_callbacks.server.store.errors import SupersededError
from hub_callbacks.server.store.pointers import point
from hub_callbacks.server.store.schema import checkpoints, metrics, models, uploads

COLUMNS = (models.c.id, models.c.attempt_at, models.c.attempt_epoch, models.c.reset_at)  # what a refusal is told by
RESET = {"reset_at": models.c.attempt_at}  # by the attempt that it ends, not by a clock, which may be another's


def is_earlier(attempt: float | None, model: Any) -> bool:
    """Whether what is said is said by an earlier attempt than the model's; clients of HUB v1 do not say."""
    return (
        attempt is not None
        and model.attempt_at is not None
        and (attempt < model.attempt_at or _is_over(attempt, model))
    )


def refusal(attempt: float | None, model: Any) -> SupersededError:
    """Why what an earlier attempt says is refused."""
    return SupersededError(model.id, None if _is_over(attempt, model) else model.attempt_epoch)


def _is_over(attempt: float | None, model: Any) -> bool:
    """Whether the model was reset since that attempt began."""
    return attempt is not None and model.reset_at is not None and attempt <= model.reset_at


def problem(
    attempt: float | None, model: Any, epochs: Iterable[int], *, is_final: bool = False
) -> SupersededError | None:
    """Why what an attempt says of those epochs, or of its final model, is refused; None where it is not."""
    if not is_earlier(attempt, model):
        return None
    is_all_refused = is_final or _is_over(attempt, model)
    if is_all_refused or any(epoch >= model.attempt_epoch for epoch in epochs):
        return refusal(attempt, model)
    return None


def check(
    connection: Connection, seq: int, attempt: float | None, epochs: Iterable[int], *, is_final: bool = False
) -> None:
    """Refuse what an earlier attempt says of epochs that a later one trains anew, and the model that it ended with.

    Raises:
        SupersededError: It is refused.
    """
    if attempt is None:
        return
    model = connection.execute(select(*COLUMNS).where(models.c.seq == seq)).one()
    if refused := problem(attempt, model, epochs, is_final=is_final):
        raise refused


def supersede(connection: Connection, seq: int, *, first_epoch: int) -> dict[str, Any]:
    """Remove what earlier attempts have said of the epochs from that one on, but for a model that one ended with.

    Returns:
        What changes in the model's row. The blobs that nothing names any more are deleted by the hub's upkeep.
    """
    for table in (checkpoints, uploads):
        is_periodic = table.c.is_final.is_(False)
        connection.execute(delete(table).where(table.c.model_seq == seq, table.c.epoch >= first_epoch, is_periodic))
    connection.execute(delete(metrics).where(metrics.c.model_seq == seq, metrics.c.epoch >= first_epoch))
    point(connection, seq)
    rows = connection.execute(
        select(metrics.c.epoch, metrics.c.row_json).where(metrics.c.model_seq == seq).order_by(metrics.c.epoch)
    ).all()
    return {
        "last_epoch": rows[-1].epoch if rows else None,
        "last": rows[-1].row_json if rows else "{}",
        "best": values.dump(values.best_of(values.load(row.row_json) for row in rows)),
        "summary": "{}",
    }
