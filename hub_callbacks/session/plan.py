"""What to train, and how, as a model of the hub says."""

from __future__ import annotations

from typing import Any, NamedTuple

from hub_callbacks.errors import IdentifierError


class Plan(NamedTuple):
    """A model of the hub, as a trainer needs it.

    Attributes:
        model_file: Weights (a URL or a name) or architecture to start from.
        train_args: Training arguments; None when the model is trained already.
    """

    model_file: str | None
    train_args: dict[str, Any] | None


def plan(model: Any, *, page: str) -> Plan:
    """What a ``hub_sdk.Models`` is: trained, resumable, or new.

    Args:
        model: The model, with its data read.
        page: Its page, for messages.

    Raises:
        IdentifierError: Its data set is not ready.
    """
    if model.is_trained():
        return Plan(model.get_weights_url("best"), None)
    if model.is_resumable():
        found = Plan(model.get_weights_url("last"), {"data": model.get_dataset_url(), "resume": True})
    else:
        file = model.get_weights_url("parent") if model.is_pretrained() else model.get_architecture()
        found = Plan(file, dict(model.data.get("train_args") or {}))
    if not (found.train_args or {}).get("data"):
        raise IdentifierError(f"The data set of {page} is not ready. Try again in a minute.")
    return found
