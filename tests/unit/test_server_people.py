"""Users, keys, shares, the audit log and attempts to sign in, on each engine."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire
from hub_callbacks.server.permissions import may_change, may_read
from hub_callbacks.server.store import LastAdminError, NameTakenError, NotEmptyError, NotFoundError, Store, open_store
from hub_callbacks.server.store.passwords import hash_password, is_password
from hub_callbacks.server.store.rows import Caller, NewFile, Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = "first password"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(where: Path | str, clock: Clock) -> Iterator[Store]:
    store = open_store(where, clock=clock)
    yield store
    store.close()


def caller(store: Store, key: str) -> Caller:
    found = store.caller_of_key(key)
    assert found is not None
    return found


def test_user_is_found_by_id_and_address_of_any_case(store: Store) -> None:
    user = store.create_user("Ada", "trainer", email="Ada@Example.org", document={"team": {"name": "vision"}})
    for name in (user.user_id, "ada@example.org", " ADA@example.ORG "):
        found = store.find_user(name)
        assert found is not None
        assert (found.name, found.role, found.email, found.document) == (
            "Ada",
            "trainer",
            "ada@example.org",
            {"team": {"name": "vision"}},
        )
    assert store.find_user("nobody@example.org") is None


def test_address_belongs_to_one_user(store: Store) -> None:
    store.create_user("Ada", "trainer", email="ada@example.org")
    other = store.create_user("Bob", "trainer")
    with pytest.raises(NameTakenError):
        store.create_user("Eve", "trainer", email="ADA@example.org")
    with pytest.raises(NameTakenError):
        store.update_user(other.user_id, {"email": "ada@example.org"})


def test_user_signs_in_with_the_newest_password(store: Store) -> None:
    user = store.create_user("Ada", "trainer", email="ada@example.org", password=FIRST)
    mark = store.password_mark(user.user_id)
    assert store.user_of_password("ADA@example.org", FIRST) == user
    store.update_user(user.user_id, {"password": "second password"})
    assert store.user_of_password("ada@example.org", FIRST) is None
    assert store.user_of_password("ada@example.org", "second password") == user
    assert mark not in {None, store.password_mark(user.user_id)}
    assert store.user_of_password("nobody@example.org", "second password") is None


def test_nobody_signs_in_without_an_address(store: Store) -> None:
    store.create_user("Ada", "trainer", password=FIRST)
    assert store.user_of_password("", FIRST) is None
    store.create_user("Bob", "trainer", password=FIRST)
    assert store.user_of_password("", FIRST) is None


def test_user_without_a_password_cannot_sign_in_with_one(store: Store) -> None:
    store.create_user("Ada", "trainer", email="ada@example.org")
    assert store.user_of_password("ada@example.org", "") is None
    assert not is_password("", None)


def test_same_password_is_stored_differently() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert is_password("correct horse", first)
    assert not is_password("correct horsf", first)


def test_last_admin_stays(store: Store) -> None:
    admin = store.create_user("root", "admin")
    with pytest.raises(LastAdminError):
        store.delete_user(admin.user_id)
    with pytest.raises(LastAdminError):
        store.update_user(admin.user_id, {"role": "trainer"})
    store.create_user("other", "admin")
    store.update_user(admin.user_id, {"role": "trainer"})
    found = store.get_user(admin.user_id)
    assert found is not None
    assert found.role == "trainer"


@pytest.mark.parametrize("hard", [False, True])
def test_deleted_user_is_let_in_no_more(store: Store, hard: bool) -> None:
    store.create_user("root", "admin")
    user = store.create_user("Ada", "trainer", email="ada@example.org", password=FIRST)
    key = store.create_key(user.user_id)
    project = store.create_thing("projects", {}, owner=user.user_id)
    store.put_member(project.id, user.user_id, "trainer")
    store.delete_user(user.user_id, hard=hard)
    assert store.caller_of_key(key) is None
    assert store.user_of_password("ada@example.org", FIRST) is None
    assert store.find_user(user.user_id) is None
    assert store.list_members(project.id) == []
    assert store.create_user("Ada again", "trainer", email="ada@example.org")


def test_users_are_listed_by_pages_and_words(store: Store, clock: Clock) -> None:
    for name in ("Ada", "Bob", "Eve"):
        clock.now += 1
        store.create_user(name, "trainer", email=f"{name}@example.org")
    page, total = store.list_users(limit=2)
    assert ([user.name for user in page], total) == (["Eve", "Bob"], 3)
    assert [user.name for user in store.list_users(limit=2, offset=2)[0]] == ["Ada"]
    assert [user.name for user in store.list_users(limit=2, query="BOB@")[0]] == ["Bob"]


@pytest.mark.parametrize(
    ("user", "key", "both"),
    [("admin", None, "admin"), ("admin", "viewer", "viewer"), ("viewer", "admin", "viewer")],
)
def test_key_does_no_more_than_its_user(store: Store, user: Role, key: Role | None, both: Role) -> None:
    user_id = store.create_user("x", user).user_id
    found = caller(store, store.create_key(user_id, role=key))
    assert (found.role, found.is_limited) == (both, key is not None)
    assert store.list_keys(user_id)[0].role == both


def test_key_ends_at_its_time(store: Store, clock: Clock) -> None:
    key = store.create_key(store.create_user("x", "admin").user_id, expires_at=2000.0)
    assert caller(store, key).is_limited
    clock.now = 2000.0
    assert store.caller_of_key(key) is None


def test_revoked_key_is_no_good_and_stays_listed(store: Store, clock: Clock) -> None:
    user_id = store.create_user("x", "admin").user_id
    key = store.create_key(user_id, name="laptop")
    key_id = caller(store, key).key_id
    store.revoke_key(key_id)
    clock.now += 5
    store.revoke_key(key_id)
    assert store.caller_of_key(key) is store.caller_of_key_id(key_id) is None
    assert [(one.name, one.revoked_at) for one in store.list_keys()] == [("laptop", 1000.0)]


def test_last_use_of_a_key_is_noted_to_the_minute(store: Store, clock: Clock) -> None:
    user_id = store.create_user("x", "admin").user_id
    key = store.create_key(user_id)
    uses = []
    for clock.now in (1000.0, 1059.0, 1061.0):
        caller(store, key)
        uses.append(store.list_keys(user_id)[0].last_used_at)
    assert uses == [1000.0, 1000.0, 1061.0]


def test_project_is_seen_by_those_that_it_is_shared_with(store: Store) -> None:
    people = {name: store.create_user(name, role) for name, role in ROLES.items()}
    project = store.create_thing("projects", {"meta": {"name": "cars"}}, owner=people["owner"].user_id)
    body = {"projectId": project.id, "meta": {"name": "run"}}
    model = store.create_model(body, owner=people["owner"].user_id)
    dataset = store.create_thing("datasets", body, owner=people["owner"].user_id)
    store.put_member(project.id, people["reader"].user_id, "trainer")
    store.put_member(project.id, people["reader"].user_id, "viewer")  # the last word counts
    store.put_member(project.id, people["helper"].user_id, "trainer")
    for name, person in people.items():
        expected = {"owner": (True, True), "helper": (True, True), "reader": (True, False), "root": (True, True)}
        reads, changes = expected.get(name, (False, False))
        for kind, thing_id in (("models", model.id), ("datasets", dataset.id)):
            place = store.place_of(kind, thing_id, person.user_id)  # type: ignore[arg-type]  # a pair of a tuple
            assert (may_read(person, place), may_change(person, place)) == (reads, changes), (name, kind)
            found = store.places_of(kind, [thing_id, "none"], person.user_id)  # type: ignore[arg-type]  # as above
            assert found == {thing_id: place}, (name, kind)
        place = store.place_of("projects", project.id, person.user_id)
        assert (may_read(person, place), may_change(person, place)) == (reads, name in {"owner", "root"}), name
        listed = (
            len(store.list_models(person, limit=9).models),
            len(store.list_things("projects", person, limit=9).things),
            len(store.list_things("datasets", person, limit=9).things),
            len(store.get_models([model.id], person)),
            len(store.projects(person)),
        )
        assert listed == ((1, 1, 1, 1, 0) if reads else (0, 0, 0, 0, 0)), name
    store.delete_member(project.id, people["helper"].user_id)
    assert [one.name for one in store.list_members(project.id)] == ["reader"]


ROLES: dict[str, Role] = {
    "root": "admin",
    "owner": "trainer",
    "helper": "trainer",
    "reader": "trainer",
    "stranger": "trainer",
    "guest": "viewer",
}


def test_key_of_one_project_sees_only_that(store: Store) -> None:
    admin = store.create_user("root", "admin")
    inside = store.create_thing("projects", {}, owner=admin.user_id)
    outside = store.create_thing("projects", {}, owner=admin.user_id)
    model_ids = [
        store.create_model({"projectId": project} if project else {}, owner=admin.user_id).id
        for project in (inside.id, outside.id, None)
    ]
    person = caller(store, store.create_key(admin.user_id, project_id=inside.id))
    places = [store.place_of("models", model_id, person.user_id) for model_id in model_ids]
    assert [may_read(person, place) for place in places] == [True, False, False]
    assert [may_change(person, place) for place in places] == [True, False, False]
    assert [model.id for model in store.list_models(person, limit=9).models] == model_ids[:1]
    assert [thing.id for thing in store.list_things("projects", person, limit=9).things] == [inside.id]


def test_what_is_in_a_deleted_project_is_its_owners_alone(store: Store) -> None:
    owner, other = store.create_user("owner", "trainer"), store.create_user("other", "trainer")
    project = store.create_thing("projects", {"isPublic": True}, owner=owner.user_id)
    model = store.create_model({"projectId": project.id}, owner=owner.user_id)
    store.put_member(project.id, other.user_id, "trainer")
    store.delete_thing("projects", project.id, hard=False)
    for person, is_seen in ((owner, True), (other, False), (None, False)):
        place = store.place_of("models", model.id, person.user_id if person else "")
        assert may_read(person, place) == is_seen
        assert store.places_of("models", [model.id], person.user_id if person else "") == {model.id: place}
        assert bool(store.list_models(person, limit=9).models) == is_seen


def test_hidden_thing_has_a_place_of_its_own(store: Store) -> None:
    owner = store.create_user("owner", "trainer")
    model = store.create_model({}, owner=owner.user_id)
    with pytest.raises(NotFoundError):
        store.place_of("models", model.id, is_deleted=True)
    store.delete_model(model.id, hard=False)
    assert store.place_of("models", model.id, is_deleted=True).owner == owner.user_id
    with pytest.raises(NotFoundError):
        store.place_of("models", model.id)
    assert store.places_of("models", [model.id], owner.user_id) == {}


def test_file_of_a_thing_is_replaced(store: Store) -> None:
    owner = store.create_user("owner", "trainer")
    dataset = store.create_thing("datasets", {}, owner=owner.user_id)
    files = [NewFile(filename="a.zip", size_bytes=1, sha256="0" * 64, blob=name) for name in ("first", "second")]
    assert [store.set_file("datasets", dataset.id, file) for file in files] == [None, "first"]
    assert store.delete_thing("datasets", dataset.id, hard=True) == "second"


def test_full_project_is_not_removed(store: Store) -> None:
    owner = store.create_user("owner", "trainer")
    project = store.create_thing("projects", {}, owner=owner.user_id)
    store.create_thing("datasets", {"projectId": project.id}, owner=owner.user_id)
    with pytest.raises(NotEmptyError):
        store.delete_thing("projects", project.id, hard=True)


def test_audit_log_is_read_newest_first_and_by_pages(store: Store) -> None:
    for number in range(3):
        store.note_event("delete", f"models/{number}", user_id=None, key_id=None, address="::1", detail="x" * 9999)
    page, cursor = store.list_events(limit=2)
    rest, end = store.list_events(limit=2, cursor=cursor)
    assert [event.target for event in (*page, *rest)] == ["models/2", "models/1", "models/0"]
    assert (end, len(rest[0].detail)) == (None, 500)


def test_attempts_are_counted_within_a_window(store: Store, clock: Clock) -> None:
    counts: list[Any] = [store.count_attempt("x", window_s=60.0) for _ in range(3)]
    store.take_back_attempt("x")
    counts.append(store.count_attempt("x", window_s=60.0))
    clock.now += 60.0
    counts.append(store.count_attempt("x", window_s=60.0))
    assert counts == [1, 2, 3, 3, 1]


def test_attempts_at_once_are_all_counted(store: Store) -> None:
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(store.count_attempt("x", window_s=60.0))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(counts) == 8


def test_key_made_for_nobody_is_refused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.get_key(wire.new_id())
