"""Claims: who shows a key and wants to change a model, found for many with one statement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, FromClause, Select, and_, select

from hub_callbacks.server.store.access import OF_PROJECT, of_thing, place
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.keys import IS_GOOD, OF_CALLER, caller, hash_of, note_uses
from hub_callbacks.server.store.lists import is_unset, pairs
from hub_callbacks.server.store.rows import Caller, Place, Report
from hub_callbacks.server.store.schema import keys, members, models, projects, users


class Claim(NamedTuple):
    """What somebody with an API key wants to change."""

    key: str
    model_id: str


class ClaimedReport(NamedTuple):
    """A report, with the claim of whoever makes it."""

    claim: Claim
    report: Report


class Finding(NamedTuple):
    """Whose key was shown, where the model stands for them (None: there is none), and what else was asked of both."""

    caller: Caller
    place: Place | None
    row: Any


@dataclass(frozen=True)
class ClaimStore:
    """The part of the store that knows who may claim what."""

    database: Database
    clock: Callable[[], float]

    def find_claims(self, claims: Collection[Claim]) -> Mapping[Claim, Finding]:
        """What there is of each claim whose key is known, not expired and not revoked; their last use is noted."""
        now = self.clock()
        with self.database.read() as connection:
            found = find(connection, _OF_MODELS, claims, now=now)
        note_uses(self.database, [finding.row for finding in found.values()], now=now)
        return found


def question(runs: FromClause, *columns: Any) -> Select[Any]:
    """What `find` is to ask: for each claim its key's caller, and where the run stands for them, with its columns."""
    said = pairs("claims")
    run = and_(runs.c.id == said.c.second, is_unset(runs.c.deleted_at))
    project = and_(projects.c.seq == runs.c.project_seq, projects.c.deleted_at.is_(None))
    member = and_(members.c.project_seq == projects.c.seq, members.c.user_id == users.c.id)
    people = said.join(keys, keys.c.hash == said.c.first).join(users, users.c.id == keys.c.user_id)
    things = people.outerjoin(runs, run).outerjoin(projects, project).outerjoin(members, member)
    wanted = select(said.c.number.label("claim"), *OF_CALLER, *of_thing(runs), *OF_PROJECT, *columns)
    return wanted.select_from(things).where(IS_GOOD)


def find(
    connection: Connection, wanted: Select[Any], claims: Collection[Claim], *, now: float, **parameters: Any
) -> dict[Claim, Finding]:
    """What there is of each claim whose key is good."""
    hashes = {key: hash_of(key) for key in {claim.key for claim in claims}}
    asked = list(set(claims))
    said = [(hashes[claim.key], claim.model_id) for claim in asked]
    rows = connection.execute(wanted, {"claims": said, "now": now, **parameters}).all()
    return {asked[row.claim]: _finding(row) for row in rows}


def _finding(row: Any) -> Finding:
    return Finding(caller(row), None if row.thing_owner is None else place(row), row)


_OF_MODELS = question(models)
