"""The file that a federated token is read from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_batchad.identity.federated import UselessTokenFile, read_token_file

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "batch").write_text(TOKEN)
    return tmp_path / "tokens"


def what_is_wrong(path: Path, within: Path | None = None) -> str:
    with pytest.raises(UselessTokenFile) as caught:
        read_token_file(path, within=within)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_token_is_read_without_its_line_end(directory, end):
    (directory / "batch").write_text(TOKEN + end)
    assert read_token_file(directory / "batch", within=directory) == TOKEN


def test_links_as_kubernetes_makes_them_are_followed(directory):
    (directory / "..2026").mkdir()
    (directory / "..2026" / "azure").write_text(TOKEN)
    (directory / "..data").symlink_to("..2026")
    (directory / "azure").symlink_to("..data/azure")
    assert read_token_file(directory / "azure", within=directory) == TOKEN


def test_directory_may_itself_be_a_link(directory, tmp_path):
    (tmp_path / "mounted").symlink_to(directory)
    assert read_token_file(tmp_path / "mounted" / "batch", within=tmp_path / "mounted") == TOKEN


@pytest.mark.parametrize("way", ["link", "linked directory", "dots"])
def test_nothing_leads_out_of_the_directory(directory, tmp_path, way):
    (tmp_path / "secret").write_text(TOKEN)
    (directory / "link").symlink_to(tmp_path / "secret")
    (directory / "linked directory").symlink_to(tmp_path)
    path = {
        "link": directory / "link",
        "linked directory": directory / "linked directory" / "secret",
        "dots": directory / ".." / "secret",
    }[way]
    assert "leads out of the directory" in what_is_wrong(path, directory)
    assert read_token_file(path) == TOKEN


def test_directory_beside_one_of_the_same_beginning_is_outside(directory, tmp_path):
    (tmp_path / "tokens-of-others").mkdir()
    (tmp_path / "tokens-of-others" / "batch").write_text(TOKEN)
    (directory / "link").symlink_to(tmp_path / "tokens-of-others" / "batch")
    assert "leads out" in what_is_wrong(directory / "link", directory)


def test_missing_file_directory_and_loop_are_said(directory, tmp_path):
    assert what_is_wrong(directory / "absent") == "is not there"
    assert what_is_wrong(directory / "batch", tmp_path / "absent") == "is not there"
    assert what_is_wrong(directory) == "is not a file"
    (directory / "loop").symlink_to(directory / "loop")
    assert what_is_wrong(directory / "loop").startswith("cannot be read")


def test_pipe_is_not_waited_for(directory):
    os.mkfifo(directory / "pipe")
    assert what_is_wrong(directory / "pipe") == "is not a file"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"a.b", b"a.b.c.d", b"two words.b.c", "é.b.c".encode(), b"a.b.c\nd.e.f", b"\0" * 9],
)
def test_what_is_no_token_is_not_repeated(directory, content):
    (directory / "batch").write_bytes(content)
    assert what_is_wrong(directory / "batch").startswith("does not hold a token")


def test_large_file_is_not_read(directory):
    (directory / "batch").write_text("a" * 40_000 + ".b.c")
    assert "larger than a token can be" in what_is_wrong(directory / "batch")
