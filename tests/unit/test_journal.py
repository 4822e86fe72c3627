from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from hub_callbacks.errors import OutboxDamagedError
from hub_callbacks.outbox import Beginning, Hub, Journal, Outbox, OutboxFolder, journal
from hub_callbacks.outbox.journal import Due, Entry, Position, Row, read
from hub_callbacks.records import Metrics, RunFinished, RunStarted
from tests.unit.leases import due_items

RUN = "r" * 20
STARTED = RunStarted(name="train", epochs=3, args={"lr0": 0.01}, started_at=1.0)
HUB = Hub(api_url="https://hub.example", api_key="k" * 42)
BEGINNING = Beginning(record=STARTED, hub=HUB, heartbeat_s=300.0)
ROW = {"loss": 0.1, "map": 0.25}


def row(epoch: int, values: dict[str, float]) -> Row:
    return Row(record=Metrics(epoch=epoch, values=values, recorded_at=2.5), due_at=5.5)


def put(to: Journal, epoch: int, values: dict[str, float]) -> None:
    to.put_row(epoch, values, recorded_at=2.5, due_at=5.5)


def entries(path: Path) -> list[Entry]:
    return read(path, Position())[0]


@pytest.fixture
def written(folder: OutboxFolder) -> Journal:
    return Journal(folder.journals, RUN, BEGINNING)


def test_what_was_written_is_read(written: Journal) -> None:
    put(written, 0, ROW)
    put(written, 1, ROW)
    written.put_due(7.0)
    put(written, 2, {'größe, "m²"\n': -math.inf})
    put(written, 3, {})
    named = {'größe, "m²"\n': -math.inf}
    assert entries(written.path) == [BEGINNING, row(0, ROW), row(1, ROW), Due(at=7.0), row(2, named), row(3, {})]


def test_nan_stays_nan_and_numbers_keep_every_bit(written: Journal) -> None:
    values = {"nan": math.nan, "infinity": math.inf, "small": 5e-324, "third": 1 / 3, "zero": -0.0}
    put(written, 0, values)
    *_, read_row = entries(written.path)
    assert isinstance(read_row, Row)
    assert repr(read_row.record.values) == repr(values)


def test_reading_goes_on_where_it_was(written: Journal) -> None:
    put(written, 0, ROW)
    _, position = read(written.path, Position())
    assert read(written.path, position) == ([], position)
    put(written, 1, ROW)
    assert read(written.path, position)[0] == [row(1, ROW)]


def test_journal_that_is_cut_off_anywhere_ends_before_its_half_record(written: Journal, tmp_path: Path) -> None:
    """As a kill within a write leaves it."""
    put(written, 0, ROW)
    whole = entries(written.path)
    put(written, 1, {"other": 1.0})
    text, cut = written.path.read_bytes(), tmp_path / "cut"
    found = []
    for length in range(len(text)):
        cut.write_bytes(text[:length])
        found.append(entries(cut))
    assert all(some == whole[: len(some)] for some in found)
    assert [len(some) for some in found] == sorted(len(some) for some in found)
    assert found[-1] == whole


def test_journal_with_a_wrong_byte_ends_before_it(written: Journal, tmp_path: Path) -> None:
    put(written, 0, ROW)
    begins_at = written.path.stat().st_size
    put(written, 1, ROW)
    text, wrong = written.path.read_bytes(), tmp_path / "wrong"
    for at in range(begins_at, len(text)):
        wrong.write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
        assert entries(wrong) == [BEGINNING, row(0, ROW)]


def test_file_that_is_no_journal_holds_nothing(folder: OutboxFolder, outbox: Outbox) -> None:
    folder.journals.mkdir()
    (folder.journals / f"{RUN}.0.rows").write_bytes(b"something else")
    (folder.journals / f"{RUN}.1.rows").write_bytes(b"")
    outbox.take_in()
    assert outbox.runs.list() == []


@pytest.mark.parametrize("body", [b"Xsomething new", b'B{"record": {"name": "train", "new": 1}, "hub": {}}', b"B[]"])
def test_record_of_a_later_release_is_passed_over(written: Journal, body: bytes) -> None:
    written._write(journal._framed(body))
    put(written, 0, ROW)
    assert entries(written.path) == [BEGINNING, row(0, ROW)]


def test_journal_of_a_run_that_nobody_knows_is_left_and_the_others_come_in(written: Journal, outbox: Outbox) -> None:
    put(written, 0, ROW)
    known = journal._framed(b"B" + json.dumps(asdict(BEGINNING)).encode())
    later = written.path.with_name(f"{'a' * 20}.0.rows")
    later.write_bytes(written.path.read_bytes().replace(known, journal._framed(b"B[]")))
    outbox.take_in()
    assert [(run.id, run.epochs_recorded) for run in outbox.runs.list()] == [(RUN, 1)]
    outbox.runs.start("a" * 20, STARTED, hub=HUB, heartbeat_s=300)
    outbox.take_in()
    assert outbox.runs.epochs("a" * 20) == {0}


def test_journal_is_for_its_user_alone(written: Journal) -> None:
    """It holds the key of the hub."""
    assert written.path.stat().st_mode & 0o077 == 0


def test_row_survives_kill_9_right_after_it_was_put(outbox: Outbox) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from hub_callbacks.outbox import Beginning, Hub, Journal\n"
        "from hub_callbacks.records import RunStarted\n"
        "began = Beginning(record=RunStarted(name='train', epochs=3, started_at=1.0), hub=Hub(), heartbeat_s=1)\n"
        "journal = Journal(pathlib.Path(sys.argv[1]), sys.argv[2], began)\n"
        "journal.put_row(7, {'loss': 0.5}, recorded_at=0, due_at=0)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, outbox.folder.journals, RUN], check=False)
    assert killed.returncode == -signal.SIGKILL
    outbox.take_in()
    assert outbox.runs.epochs(RUN) == {7}


def test_rows_come_in_once_whoever_takes_them_in(written: Journal, outbox: Outbox, folder: OutboxFolder) -> None:
    other = Outbox(folder)
    put(written, 0, ROW)
    outbox.take_in()
    other.take_in()
    put(written, 1, ROW)
    other.take_in()
    outbox.take_in()
    assert [run.pending for run in outbox.runs.list()] == [3]  # with its creation
    other.close()


def test_opening_an_outbox_takes_in_what_is_there(written: Journal, folder: OutboxFolder) -> None:
    put(written, 0, ROW)
    outbox = Outbox(folder)
    assert outbox.runs.epochs(RUN) == {0}
    outbox.close()


def test_half_row_comes_in_when_it_is_whole(written: Journal, outbox: Outbox) -> None:
    put(written, 0, ROW)
    text = written.path.read_bytes()
    os.truncate(written.path, len(text) - 1)
    outbox.take_in()
    assert outbox.runs.epochs(RUN) == set()
    written.path.write_bytes(text)
    outbox.take_in()
    assert outbox.runs.epochs(RUN) == {0}


def test_due_hastens_the_rows_before_it(written: Journal, outbox: Outbox) -> None:
    put(written, 0, ROW)
    written.put_due(3.0)
    put(written, 1, ROW)
    items = due_items(outbox, now=4.0)
    assert [item.record for item in items] == [STARTED, row(0, ROW).record]


def test_new_outbox_learns_the_run_and_its_rows_from_the_journal(written: Journal, folder: OutboxFolder) -> None:
    put(written, 0, ROW)
    Outbox(folder).set_aside(OutboxDamagedError("malformed"))
    put(written, 1, ROW)
    outbox = Outbox(folder)
    (run,) = outbox.runs.list()
    assert (run.id, run.name, run.state, run.epochs_recorded, run.heartbeat_s) == (RUN, "train", "running", 2, 300.0)
    assert (run.hub.api_url, run.hub.api_key) == (HUB.api_url, HUB.api_key)
    outbox.close()


def test_journal_is_removed_when_its_run_has_ended_and_not_before(written: Journal, outbox: Outbox) -> None:
    put(written, 0, ROW)
    outbox.take_in()
    outbox.remove_journals()
    assert written.path.exists()
    outbox.runs.finish(RUN, RunFinished(state="crashed", finished_at=9.0))
    put(written, 1, ROW)
    outbox.remove_journals()
    assert written.path.exists()  # a row is not taken in yet
    outbox.take_in()
    outbox.remove_journals()
    assert not written.path.exists()
    assert outbox._database.rows("SELECT * FROM journals") == []


def test_journal_that_was_never_begun_is_removed_when_nobody_trains_its_run(
    written: Journal, folder: OutboxFolder, outbox: Outbox
) -> None:
    """As a kill within its making leaves it: nothing was recorded in it."""
    whole, cut = written.path.read_bytes(), written.path.with_name(f"{RUN}.0.rows")
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with folder.vacated(RUN):  # as by its trainer, which may be making it now
            outbox.remove_journals()
            assert cut.exists()
        outbox.remove_journals()
        assert not cut.exists()
    assert written.path.read_bytes() == whole


@pytest.mark.parametrize("text", [b"something else", b"HUBJRN2", b"B"])
def test_file_that_is_no_journal_is_left_alone(folder: OutboxFolder, outbox: Outbox, text: bytes) -> None:
    folder.journals.mkdir()
    (folder.journals / f"{RUN}.0.rows").write_bytes(text)
    outbox.remove_journals()
    assert (folder.journals / f"{RUN}.0.rows").read_bytes() == text


def test_trainer_learns_that_it_is_asked_to_stop(written: Journal, outbox: Outbox) -> None:
    other = Journal(written.path.parent, "s" * 20, BEGINNING)
    outbox.take_in()
    outbox.runs.ask_to_stop(RUN, "By Ada.")
    assert (written.is_asked_to_stop, other.is_asked_to_stop) == (True, False)
    put(written, 0, ROW)
    assert entries(written.path) == [BEGINNING, row(0, ROW)]


def test_journal_that_somebody_empties_asks_for_nothing_and_raises_no_signal(written: Journal) -> None:
    os.truncate(written.path, 0)
    assert not written.is_asked_to_stop


@pytest.mark.parametrize("is_network", [True, False])
def test_every_record_is_synced_on_a_network_file_system(
    folder: OutboxFolder, mocker: MockerFixture, is_network: bool
) -> None:
    mocker.patch.object(journal, "is_on_network", return_value=is_network)
    sync = mocker.spy(os, "fsync")
    put(Journal(folder.journals, RUN, BEGINNING), 0, ROW)
    assert sync.call_count == (2 if is_network else 0)


def test_outbox_folder_with_a_journal_alone_has_records(written: Journal, folder: OutboxFolder, tmp_path: Path) -> None:
    assert not folder.database.exists()
    assert OutboxFolder.all_under(tmp_path / "data") == [folder]
