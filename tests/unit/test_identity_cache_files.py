"""What may stand in the way of a private directory, and what may be planted in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from airflow_provider_batchad.identity import cache_files
from airflow_provider_batchad.identity.cache_files import (
    LOGINS,
    NotPrivate,
    PrivateDirectory,
    default_directory,
)

KEY = "ab" * 32
OTHER = "cd" * 32
NOW = 1_000_000_000.0
LATER = NOW + 3600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "tokens"


def write(path: Path, key: str = KEY, content: bytes = b"content", expires_on: float = LATER) -> None:
    with PrivateDirectory(path).opened() as files:
        files.write(key, content, expires_on=expires_on)


def read(path: Path, key: str = KEY) -> bytes | None:
    with PrivateDirectory(path).opened() as files:
        return files.read(key)


def names(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


def test_directory_and_file_are_the_users_alone_whatever_the_umask(path):
    before = os.umask(0)
    try:
        write(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()] == [0o600]
    assert read(path) == b"content"


def test_what_is_not_there_is_nothing(path):
    assert read(path) is None


@pytest.mark.parametrize("mode", [0o770, 0o701, 0o750, 0o1777, 0o740])
def test_directory_open_to_others_is_not_used(path, mode):
    path.mkdir(parents=True)
    path.chmod(mode)
    with pytest.raises(NotPrivate, match="its mode is"):
        write(path)
    assert names(path) == set()


def test_directory_of_another_user_is_not_used(path, monkeypatch):
    write(path)
    monkeypatch.setattr(cache_files.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(NotPrivate, match="another user"):
        read(path)


def test_link_to_a_directory_is_not_followed(path, tmp_path):
    target = tmp_path / "elsewhere"
    target.mkdir(mode=0o700)
    path.parent.mkdir()
    path.symlink_to(target)
    with pytest.raises(NotPrivate, match="a link"):
        write(path)
    assert names(target) == set()


def test_file_in_the_directorys_place_is_not_used(path):
    path.parent.mkdir()
    path.write_text("")
    with pytest.raises(OSError, match=r"."):
        write(path)


def test_directory_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"."):
        write(tmp_path / "file" / "tokens")


def test_link_in_a_files_place_is_not_read_and_is_replaced_not_followed(path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    path.mkdir(parents=True, mode=0o700)
    (path / f"{KEY}.token").symlink_to(victim)
    assert read(path) is None
    write(path)
    assert victim.read_text() == "precious"
    assert read(path) == b"content"
    assert not (path / f"{KEY}.token").is_symlink()


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_file_open_to_others_is_not_read(path, mode):
    write(path)
    (path / f"{KEY}.token").chmod(mode)
    assert read(path) is None
    write(path, content=b"new")
    assert read(path) == b"new"


def test_pipe_in_a_files_place_holds_up_nobody(path):
    path.mkdir(parents=True, mode=0o700)
    os.mkfifo(path / f"{KEY}.token", 0o600)
    assert read(path) is None
    write(path)
    assert read(path) == b"content"


def test_directory_in_a_files_place_is_an_os_error(path):
    (path / f"{KEY}.token").mkdir(parents=True)
    path.chmod(0o700)
    assert read(path) is None
    with pytest.raises(OSError, match=r"."):
        write(path)
    assert names(path) == {f"{KEY}.token"}, "the half-written file is left"


def test_huge_file_is_not_read(path):
    write(path, content=b"x" * (64 * 1024 + 1))
    assert read(path) is None


def test_expired_and_half_written_files_go_and_nothing_else(path):
    write(path, KEY)
    write(path, OTHER, expires_on=NOW - 1)
    half_written = [path / f"{KEY}.token.{'0' * 16}", path / f"{KEY}.token.{'1' * 16}"]
    for file, age in zip(half_written, (700, 10), strict=True):
        file.write_text("")
        os.utime(file, (NOW - age, NOW - age))
    far_future = path / f"{'ef' * 32}.token"
    far_future.write_text("")
    os.utime(far_future, (NOW + 10 * 86400, NOW + 10 * 86400))
    strangers = ["id_ed25519", "ab.lock", f"{OTHER}.token.bak", "notes.token"]
    for name in strangers:
        (path / name).write_text("")
        os.utime(path / name, (0, 0))
    with PrivateDirectory(path).opened() as files:
        files.remove_expired(NOW)
    assert names(path) == {f"{KEY}.token", half_written[1].name, *strangers}


def test_logins_in_the_same_directory_are_left_alone(path):
    with PrivateDirectory(path, LOGINS).opened() as logins:
        logins.write(KEY, b"login", expires_on=NOW + 90 * 86400)
        with PrivateDirectory(path).opened() as tokens:
            tokens.write(KEY, b"token", expires_on=NOW + 60)
            tokens.remove_expired(NOW + 120)
        assert logins.read(KEY) == b"login"
    assert names(path) == {f"{KEY}.login"}


def test_locks_are_bounded_in_number(path):
    with PrivateDirectory(path).opened() as files:
        for key in (KEY, f"ab{'0' * 62}", OTHER):
            files.lock(key).close()
    assert names(path) == {"ab.lock", "cd.lock"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}


def test_a_lock_is_one_of_the_directory_that_was_checked(path, tmp_path):
    with PrivateDirectory(path).opened() as files:
        moved = path.rename(tmp_path / "moved")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        path.symlink_to(elsewhere)
        with files.lock(KEY) as lock:
            assert lock.acquire(0)
    assert names(moved) == {"ab.lock"}
    assert names(elsewhere) == set()


def test_a_link_in_a_locks_place_is_not_followed(path, tmp_path):
    path.mkdir(parents=True, mode=0o700)
    (path / "ab.lock").symlink_to(tmp_path / "made")
    with PrivateDirectory(path).opened() as files, pytest.raises(OSError, match=r"."):
        files.lock(KEY)
    assert not (tmp_path / "made").exists()


def test_a_lock_has_one_holder_until_it_is_closed(path):
    with PrivateDirectory(path).opened() as files:
        first, second = files.lock(KEY), files.lock(KEY)
    assert first.acquire(0)
    assert not second.acquire(0.01)
    first.close()
    assert second.acquire(0)
    second.close()
    with pytest.raises(ValueError, match="closed"):
        second.acquire(0)


def test_a_forked_process_does_not_keep_its_parents_lock(path):
    with PrivateDirectory(path).opened() as files:
        held, other = files.lock(KEY), files.lock(KEY)
    assert held.acquire(0)
    parent, child = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(child[1], b"!")
        os.read(parent[0], 1)
        os._exit(0)
    os.read(child[0], 1)
    # As the system does where the parent is killed.
    os.close(held._descriptor)
    held._descriptor = None
    assert other.acquire(0)
    os.write(parent[1], b"!")
    os.waitpid(pid, 0)
    other.close()
    for descriptor in (*parent, *child):
        os.close(descriptor)


def test_default_is_below_the_first_of_the_users_own_places(tmp_path, monkeypatch):
    for variable in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".cache" / "batchad"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "batchad"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "run")
    assert default_directory() == tmp_path / "batchad", "a relative path means nothing"
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert default_directory() == tmp_path / "run" / "batchad"
