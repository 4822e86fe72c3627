"""What happens in one round of the sweep, all of it drawn from the round's seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Literal

Victim = Literal["trainer", "courier", "hub"]

VICTIMS: tuple[Victim, ...] = ("trainer", "courier", "hub")
_SETS: tuple[tuple[Victim, ...], ...] = tuple(chain(combinations(VICTIMS, 1), combinations(VICTIMS, 2)))
_BIG_BYTES = (9_000_000, 18_000_000)  # more than one piece of an upload that can be continued
_SMALL_BYTES = (100_000, 500_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One round.

    Attributes:
        kills: Who is killed, and how many seconds after it was seen alive.
        epochs: Number of epochs.
        gap_s: What an epoch takes without us; 0 keeps the trainer inside of the callbacks.
        is_courier_awaited: Whether the first epoch lasts until the courier is at work.
        checkpoint_bytes: Size of every checkpoint.
        metrics_s: The rate limit of the rows.
        wait_s: How long the end of the training waits for the delivery.
        hub_down_s: How long a killed hub stays away.
        is_hub_local: Whether the hub is the local one, which the courier starts, instead of one that is served.
        heals_alone: Whether a courier that lives is left to itself, without ``hub-callbacks sync``.
    """

    seed: int
    kills: tuple[tuple[Victim, float], ...]
    epochs: int
    gap_s: float
    is_courier_awaited: bool
    checkpoint_bytes: int
    metrics_s: float
    wait_s: float
    hub_down_s: float
    is_hub_local: bool
    heals_alone: bool

    @classmethod
    def draw(cls, seed: int) -> Plan:
        """The round of a seed."""
        rng = random.Random(seed)
        is_big = rng.random() < 0.1
        epochs = rng.randint(4, 8) if is_big else rng.randint(20, 120)
        gap_s = rng.choice((0.0, 0.001, 0.005))
        return cls(
            seed=seed,
            kills=_kills(rng, longest_s=0.3 + epochs * (gap_s + 0.004)),
            epochs=epochs,
            gap_s=gap_s,
            is_courier_awaited=rng.random() < 0.7,
            checkpoint_bytes=rng.randint(*(_BIG_BYTES if is_big else _SMALL_BYTES)),
            metrics_s=rng.choice((0.0, 0.05, 3.0)),
            wait_s=rng.choice((0.0, 0.5)),
            hub_down_s=rng.uniform(0.0, 0.5),
            is_hub_local=rng.random() < 0.1,  # few, since its interpreter takes a second to start
            heals_alone=rng.random() < 0.2,
        )


def _kills(rng: random.Random, *, longest_s: float) -> tuple[tuple[Victim, float], ...]:
    """Two victims die one after the other, or in the same moment."""
    victims = rng.choice(_SETS)
    moments = [rng.uniform(0.0, longest_s) for _ in victims]
    if rng.random() < 0.3:
        moments = [moments[0]] * len(moments)
    return tuple(zip(victims, moments, strict=True))
