from __future__ import annotations

from pathlib import Path

import pytest

from hub_callbacks.outbox.filesystem import is_on_network


@pytest.mark.parametrize(
    ("folder_path", "is_network"),
    [("/home/user/data", False), ("/mnt/team/data", True), ("/mnt/my disk/x", True), ("/mnt/teammate", False)],
)
def test_network_file_systems_are_told_by_the_mount_table(tmp_path: Path, folder_path: str, is_network: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nserver:/team /mnt/team nfs4 rw 0 0\nuser@host: /mnt/my\\040disk fuse.sshfs rw 0 0\n"
    )
    assert is_on_network(Path(folder_path), mounts=mounts) is is_network


def test_without_a_mount_table_nothing_is_a_network(tmp_path: Path) -> None:
    assert not is_on_network(Path("/mnt"), mounts=tmp_path / "missing")
