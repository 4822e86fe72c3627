"""The checkpoints of a model, and the uploads that become them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hub_callbacks.server.store import Store, open_store
from hub_callbacks.server.store.rows import NewCheckpoint
from hub_callbacks.server.store.uploads import TTL_S
from tests.unit.store.arrivals import new_checkpoint


@pytest.mark.parametrize(
    ("arrivals", "status", "resume", "weights"),
    [
        ([new_checkpoint(1)], "training", 1, None),
        ([new_checkpoint(1, is_best=True), new_checkpoint(2)], "training", 2, 1),
        ([new_checkpoint(2), new_checkpoint(1, is_best=True)], "training", 2, 1),
        ([new_checkpoint(9, is_final=True), new_checkpoint(5, is_best=True)], "trained", 5, 9),
        ([new_checkpoint(9, is_final=True)], "trained", None, 9),
    ],
)
def test_model_points_to_its_checkpoints_in_every_order_of_arrival(
    store: Store, owner: str, arrivals: list[NewCheckpoint], status: str, resume: int | None, weights: int | None
) -> None:
    model_id = store.create_model({}, owner=owner).id
    epochs: dict[str | None, int | None] = {None: None}
    for arrival in arrivals:
        epochs[store.add_checkpoint(model_id, arrival).id] = arrival.epoch
    model = store.get_model(model_id)
    assert model is not None
    assert (model.status, epochs[model.resume_id], epochs[model.weights_id]) == (status, resume, weights)


def test_checkpoint_of_the_same_bytes_is_kept_once(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    first, second = store.add_checkpoint(model_id, new_checkpoint()), store.add_checkpoint(model_id, new_checkpoint())
    assert first == second
    assert store.checkpoints(model_id) == [first]


def test_checkpoints_are_newest_first(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    for epoch in range(3):
        store.add_checkpoint(model_id, new_checkpoint(epoch))
    assert [checkpoint.epoch for checkpoint in store.checkpoints(model_id)] == [2, 1, 0]


def test_prune_keeps_the_newest_the_best_and_the_final_checkpoint(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    made = [new_checkpoint(epoch, is_best=epoch == 1) for epoch in range(6)]
    for new in made:
        store.add_checkpoint(model_id, new)
    assert set(store.prune_checkpoints(model_id, keep=2)) == {made[epoch].blob for epoch in (0, 2, 3)}
    assert [checkpoint.epoch for checkpoint in store.checkpoints(model_id)] == [5, 4, 1]
    store.add_checkpoint(model_id, new_checkpoint(5, is_final=True))
    assert set(store.prune_checkpoints(model_id, keep=1)) == {made[1].blob, made[4].blob}
    assert [(found.epoch, found.is_final) for found in store.checkpoints(model_id)] == [(5, True), (5, False)]


def test_upload_advances_and_is_kept_for_a_day_from_then(where: Path | str) -> None:
    now = [1000.0]
    store = open_store(where, clock=lambda: now[0])
    model_id = store.create_model({}, owner=store.create_user("a", "admin").user_id).id
    upload = store.create_upload(model_id, new_checkpoint())
    assert (upload.offset_bytes, upload.is_published, upload.expires_at) == (0, False, 1000.0 + TTL_S)
    now[0] += TTL_S - 1
    assert store.advance_upload(upload, 7) == now[0] + TTL_S
    assert store.advance_upload(upload, 8) is None
    now[0] += TTL_S - 1
    assert store.expire_uploads() == []
    found = store.get_upload(model_id, upload.id)
    assert found is not None
    assert (found.offset_bytes, found.expires_at) == (7, now[0] + 1)
    now[0] += 1
    assert store.expire_uploads() == [upload.blob]
    assert store.get_upload(model_id, upload.id) is None
    store.close()


def test_upload_becomes_its_checkpoint_in_one_step(store: Store, owner: str) -> None:
    model_id, new = store.create_model({}, owner=owner).id, new_checkpoint()
    upload = store.create_upload(model_id, new)
    store.add_checkpoint(model_id, new, upload_id=upload.id)
    found = store.get_upload(model_id, upload.id)
    assert found is not None
    assert found.is_published
    assert store.create_upload(model_id, replace(new, blob="another")).is_published
    assert store.expire_uploads() == []


def test_hard_delete_and_reset_name_the_blobs_of_unfinished_uploads(store: Store, owner: str) -> None:
    for forget in (store.reset_model, lambda model_id: store.delete_model(model_id, hard=True)):
        model_id, new = store.create_model({}, owner=owner).id, new_checkpoint()
        upload = store.create_upload(model_id, new)
        assert forget(model_id) == [new.blob]
        assert store.get_upload(model_id, upload.id) is None
