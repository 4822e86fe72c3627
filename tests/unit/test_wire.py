from __future__ import annotations

from pathlib import Path

import pytest

from hub_callbacks import wire


def test_ids_and_keys_have_the_lengths_that_old_clients_split_by() -> None:
    new_id, key = wire.new_id(), wire.new_key()
    assert wire.is_id(new_id)
    assert len(key) == 42
    assert (new_id + key).isalnum()
    assert not wire.is_id(key)


def test_local_hub_note_is_for_its_user_alone(tmp_path: Path) -> None:
    assert wire.LocalHub.read(tmp_path) is None
    hub = wire.LocalHub(url="http://127.0.0.1:8420", key=wire.new_key(), seal="s", pid=1)
    hub.write(tmp_path)
    assert wire.LocalHub.read(tmp_path) == hub
    assert wire.LocalHub.path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_half_a_local_hub_note_is_none(tmp_path: Path) -> None:
    wire.LocalHub(url="http://127.0.0.1:8420", key="k", seal="s", pid=1).write(tmp_path)
    wire.LocalHub.path(tmp_path).write_text('{"url": "http')
    assert wire.LocalHub.read(tmp_path) is None


def test_upload_metadata_comes_back_as_it_was_given() -> None:
    header = wire.upload_metadata({"filename": "last.pt", "epoch": 3, "isBest": True, "note": "ü"})
    assert header.startswith("filename bGFzdC5wdA==,epoch Mw==,")
    assert wire.parse_upload_metadata(header) == {"filename": "last.pt", "epoch": "3", "isBest": "True", "note": "ü"}


def test_upload_metadata_may_be_empty_or_hold_a_name_alone() -> None:
    assert wire.parse_upload_metadata("") == {}
    assert wire.parse_upload_metadata("flag , epoch Mw==") == {"flag": "", "epoch": "3"}


@pytest.mark.parametrize("header", ["epoch 3", "epoch \u00e9", "epoch /w=="])
def test_upload_metadata_that_is_malformed_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="Upload-Metadata"):
        wire.parse_upload_metadata(header)
