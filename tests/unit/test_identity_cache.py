"""The shared token cache: several of them stand for several processes."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_batchad.errors import CredentialRefused, Unreachable
from airflow_provider_batchad.identity import cache_entry
from airflow_provider_batchad.identity.cache import CachedTokenRequest
from airflow_provider_batchad.identity.cache_entry import CacheEntry, TokenFile
from airflow_provider_batchad.identity.cache_wait import WaitNote
from airflow_provider_batchad.identity.tokens import AccessToken, PrincipalFacts, TokenCallback

KEY = "ab" * 32
CLAIMS = '{"access_token":{"nbf":{"value":"1"}}}'
UNREACHABLE = Unreachable("Nobody answered.", step="token")


class FernetCipher:
    def __init__(self) -> None:
        self._fernet = Fernet(Fernet.generate_key())
        self.key_id = "test"

    def encrypt(self, content: bytes, /) -> bytes:
        return self._fernet.encrypt(content)

    def decrypt(self, content: bytes, /) -> bytes:
        return self._fernet.decrypt(content)


class Machine:
    """A directory, a key and a clock; Entra ID, which numbers its tokens."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cipher = FernetCipher()
        self.now = 1_000_000_000.0
        self.lifetime = 3600.0
        self.asked: list[tuple[str | None, str | None]] = []
        self.failure: Exception | None = None
        self.seen: list[str] = []

    def request(self, claims: str | None, rejected: str | None) -> AccessToken:
        self.asked.append((claims, rejected))
        if self.failure is not None:
            raise self.failure
        return AccessToken(f"token-{len(self.asked)}", self.now + self.lifetime, self.now)

    def process(self, key: str = KEY, cipher: FernetCipher | None = None) -> CachedTokenRequest:
        return CachedTokenRequest(
            self.request,
            facts=lambda: PrincipalFacts(sign_in="service_principal", tenant_id="t", client_id="c"),
            file=self.file(key, cipher),
            wait=self.wait(key, cipher),
            clock=lambda: self.now,
            spread=lambda: 0.0,
        )

    def file(self, key: str = KEY, cipher: FernetCipher | None = None) -> TokenFile:
        return TokenFile(
            self.directory,
            key,
            cipher=cipher or self.cipher,
            on_secret=self.seen.append,
            clock=lambda: self.now,
        )

    def wait(self, key: str = KEY, cipher: FernetCipher | None = None) -> WaitNote:
        return WaitNote(self.directory, key, cipher=cipher or self.cipher, clock=lambda: self.now)

    @property
    def path(self) -> Path:
        return self.directory / f"{KEY}.token"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    cache_entry._warn_once.cache_clear()
    return Machine(tmp_path / "tokens")


def test_the_second_process_asks_nobody_and_registers_what_it_read(machine):
    first = machine.process()(None, None)
    assert machine.seen == []
    second = machine.process()(None, None)
    assert second == first
    assert len(machine.asked) == 1
    assert machine.seen == [first.token]


def test_a_token_that_was_read_keeps_its_real_margin(machine):
    machine.process()(None, None)
    machine.now += 3000
    callback = TokenCallback(machine.process(), clock=lambda: machine.now, spread=lambda: 0.5)
    assert callback().token == "token-1"
    machine.now += 50  # 3050 of 3600 s; renewed at 85 %, 3060 s
    assert callback().token == "token-1"
    machine.now += 20
    assert callback().token == "token-2"


def test_one_process_renews_for_all(machine):
    callbacks = [
        TokenCallback(machine.process(), clock=lambda: machine.now, spread=lambda: 0.5) for _ in range(8)
    ]
    assert {callback().token for callback in callbacks} == {"token-1"}
    machine.now += 3100
    assert {callback().token for callback in callbacks} == {"token-2"}
    assert len(machine.asked) == 2


def test_the_last_tenth_of_a_life_is_left_to_those_who_have_it(machine):
    machine.process()(None, None)
    machine.now += 3241
    assert machine.process()(None, None).token == "token-2"


def test_an_expired_token_is_not_used(machine):
    machine.process()(None, None)
    machine.now += 3600
    assert machine.process()(None, None).token == "token-2"
    machine.failure = UNREACHABLE
    machine.now += 3600
    with pytest.raises(Unreachable):
        machine.process()(None, None)


def test_a_token_near_its_end_is_used_when_nobody_gives_another(machine, caplog):
    machine.process()(None, None)
    machine.now += 3500
    machine.failure = UNREACHABLE
    with caplog.at_level(logging.WARNING):
        assert machine.process()(None, None).token == "token-1"
    assert "Nobody answered" in caplog.text
    assert "token-1" not in caplog.text


def test_a_rejected_token_is_replaced_for_all(machine):
    first = machine.process()(None, None).token
    assert machine.process()(None, first).token == "token-2"
    assert machine.asked[-1] == (None, first)
    assert machine.process()(None, None).token == "token-2"
    assert machine.process()(None, first).token == "token-2", "the others who had it refused ask nobody"
    assert len(machine.asked) == 2


def test_a_challenge_is_answered_anew_and_replaces_the_token(machine):
    first = machine.process()(None, None).token
    assert machine.process()(CLAIMS, None).token == "token-2"
    assert machine.process()(CLAIMS, first).token == "token-2", "it answers the same challenge"
    assert machine.process()(CLAIMS, None).token == "token-3", "nobody says which token was challenged"
    assert machine.process()('{"access_token":{}}', first).token == "token-4"
    assert machine.process()(None, None).token == "token-4"


@pytest.mark.parametrize(
    "failure",
    [UNREACHABLE, CredentialRefused("The secret is wrong.", step="token", code="AADSTS7000215")],
)
def test_a_failure_is_not_kept(machine, failure):
    machine.failure = failure
    for _ in range(2):
        with pytest.raises(type(failure)):
            machine.process()(None, None)
    assert len(machine.asked) == 2
    machine.failure = None
    assert machine.process()(None, None).token == "token-3"


def test_who_signs_in_is_known_without_asking_the_vault(machine):
    machine.process()(None, None)
    reader = CachedTokenRequest(
        machine.request,
        facts=lambda: PrincipalFacts(sign_in="service_principal"),
        wait=machine.wait(),
        file=machine.file(),
        clock=lambda: machine.now,
    )
    assert reader.facts().client_id is None
    reader(None, None)
    assert reader.facts() == PrincipalFacts(sign_in="service_principal", tenant_id="t", client_id="c")


def test_the_file_holds_no_token_in_the_clear(machine):
    machine.process()(None, None)
    content = machine.path.read_bytes()
    assert b"token" not in content
    assert b"client" not in content


def test_a_file_cut_short_anywhere_is_replaced(machine):
    machine.process()(None, None)
    whole = machine.path.read_bytes()
    for length in range(len(whole)):
        machine.path.write_bytes(whole[:length])
        assert machine.file().read() is None
    assert machine.process()(None, None).token == "token-2"
    assert machine.process()(None, None).token == "token-2"


@pytest.mark.parametrize("length", [0, 1, 57, 100, 4096, 64 * 1024, 1024 * 1024])
def test_garbage_of_any_length_is_replaced(machine, length):
    machine.process()(None, None)
    machine.path.write_bytes(bytes(n * 7 % 256 for n in range(length)))
    assert machine.process()(None, None).token == "token-2"
    assert machine.process()(None, None).token == "token-2"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"key": "%s"}' % KEY.encode(),
        b'{"key": "%s", "token": "x", "expires_on": "soon", "obtained_at": 1, "claims": null}' % KEY.encode(),
        b'{"key": "%s", "token": "x", "expires_on": NaN, "obtained_at": 1, "claims": null, "tenant_id": null,'
        b' "client_id": null}' % KEY.encode(),
        b"\xff\xfe",
        b"{" * 10_000,
    ],
)
def test_what_is_encrypted_well_but_makes_no_sense_is_replaced(machine, content):
    machine.process()(None, None)
    machine.path.write_bytes(machine.cipher.encrypt(content))
    assert machine.process()(None, None).token == "token-2"


def test_a_file_of_another_deployments_key_is_replaced(machine):
    machine.process(cipher=FernetCipher())(None, None)
    assert machine.process()(None, None).token == "token-2"


def test_a_file_copied_to_another_principals_name_is_not_used(machine):
    machine.process()(None, None)
    other = "cd" * 32
    (machine.directory / f"{other}.token").write_bytes(machine.path.read_bytes())
    (machine.directory / f"{other}.token").chmod(0o600)
    assert machine.process(other)(None, None).token == "token-2"


@pytest.mark.parametrize(
    ("obtained", "expires"),
    [(3600.0, 7200.0), (-1.0, 10 * 86400.0), (-7200.0, -3600.0), (-10.0, 0.0)],
    ids=["from the future", "for ten days", "long over", "over at this moment"],
)
def test_times_that_cannot_be_are_not_believed(machine, obtained, expires):
    token = AccessToken("planted", machine.now + expires, machine.now + obtained)
    machine.file().write(CacheEntry(token=token))
    assert machine.file().read() is None
    assert machine.process()(None, None).token == "token-1"


def test_a_directory_of_others_is_not_used_and_warned_of_once(machine, caplog):
    machine.directory.mkdir(mode=0o777)
    machine.directory.chmod(0o777)
    with caplog.at_level(logging.WARNING):
        assert [machine.process()(None, None).token for _ in range(3)] == ["token-1", "token-2", "token-3"]
    assert len(caplog.records) == 1
    assert "its mode is 0777 and not 0700" in caplog.text
    assert list(machine.directory.iterdir()) == []


def test_a_full_disk_costs_the_cache_and_nothing_else(machine, monkeypatch, caplog):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("airflow_provider_batchad.identity.cache_files.os.rename", full)
    with caplog.at_level(logging.WARNING):
        assert [machine.process()(None, None).token for _ in range(2)] == ["token-1", "token-2"]
    assert "No space left on device" in caplog.text


def test_other_tokens_that_have_ended_are_removed(machine):
    machine.process("cd" * 32)(None, None)
    machine.now += 3601
    machine.process()(None, None)
    assert {file.name for file in machine.directory.iterdir() if file.suffix == ".token"} == {
        machine.path.name
    }


@pytest.mark.parametrize("what", ["process", "entry"])
def test_nothing_that_holds_a_token_is_pickled(machine, what):
    entry = CacheEntry(token=AccessToken("x", 1.0, 0.0))
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(machine.process() if what == "process" else entry)
    assert "x" not in repr(entry).replace("expires_on", "")
