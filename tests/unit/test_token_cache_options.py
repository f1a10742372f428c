"""What Airflow's configuration makes of the token cache."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.crypto import get_fernet
from cryptography.fernet import Fernet, InvalidToken

from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.hooks.cipher import airflow_cipher
from airflow_provider_batchad.hooks.configuration import shares_tokens, token_cache_dir
from airflow_provider_batchad.hooks.resolve import token_callback
from airflow_provider_batchad.identity.cache import CachedTokenRequest
from airflow_provider_batchad.identity.reload import ReloadingTokenRequest

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
CONNECTION = (
    '{"conn_type": "azure_batch_ad", "host": "https://acct.westeurope.batch.azure.com", "login": '
    '"22222222-2222-2222-2222-222222222222", "password": "a-secret", "extra": {"tenant_id": '
    '"11111111-1111-1111-1111-111111111111"}}'
)


@pytest.fixture(autouse=True)
def forgotten_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE", "True")
    monkeypatch.setenv("AIRFLOW_CONN_BATCHAD_DEFAULT", CONNECTION)
    for cached in (get_fernet, airflow_cipher):
        cached.cache_clear()
    yield
    for cached in (get_fernet, airflow_cipher):
        cached.cache_clear()


def use_keys(monkeypatch: pytest.MonkeyPatch, keys: str):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", keys)
    get_fernet.cache_clear()
    airflow_cipher.cache_clear()
    return airflow_cipher()


def uses_cache(hook: AzureBatchAdHook) -> bool:
    request = hook.token_callback._request
    if isinstance(request, ReloadingTokenRequest):
        request = request._source.request
    return isinstance(request, CachedTokenRequest)


def test_airflows_key_encrypts_and_a_rotated_one_still_decrypts(monkeypatch):
    written = use_keys(monkeypatch, OLD).encrypt(b"content")
    assert b"content" not in written
    rotated = use_keys(monkeypatch, f"{NEW},{OLD}")
    assert rotated.decrypt(written) == b"content"
    with pytest.raises(InvalidToken):
        use_keys(monkeypatch, NEW).decrypt(written)


def test_keys_are_told_apart_by_what_gives_nothing_away(monkeypatch):
    ids = {keys: use_keys(monkeypatch, keys).key_id for keys in (OLD, NEW)}
    assert len(set(ids.values())) == 2
    assert not [key for key, name in ids.items() if key in name]


@pytest.mark.parametrize(
    ("keys", "words"), [("", "has no [core] fernet_key here"), ("no-key", "cannot be used (")]
)
def test_without_a_key_nothing_is_shared_and_one_warning_says_so(monkeypatch, caplog, keys, words):
    with caplog.at_level(logging.WARNING, logger="airflow_provider_batchad"):
        assert use_keys(monkeypatch, keys) is None
        assert not uses_cache(AzureBatchAdHook())
        assert not uses_cache(AzureBatchAdHook())
    ours = [record for record in caplog.records if record.name.startswith("airflow_provider_batchad")]
    assert [words in record.getMessage() for record in ours] == [True]


def test_it_is_on_unless_it_is_switched_off(monkeypatch):
    use_keys(monkeypatch, NEW)
    monkeypatch.delenv("AIRFLOW__BATCHAD__TOKEN_CACHE")
    assert shares_tokens()
    assert uses_cache(AzureBatchAdHook())
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE", "False")
    assert not uses_cache(AzureBatchAdHook())


def test_switched_off_it_wants_no_key_and_says_nothing(monkeypatch, caplog):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE", "False")
    with caplog.at_level(logging.WARNING):
        assert not uses_cache(AzureBatchAdHook())
    assert caplog.text == ""


def test_a_test_of_the_connection_signs_in_by_itself(monkeypatch):
    use_keys(monkeypatch, NEW)
    hook = AzureBatchAdHook()
    hook._impatient = True
    assert not uses_cache(hook)


def test_a_persons_tokens_are_not_shared(monkeypatch):
    use_keys(monkeypatch, NEW)
    person = BatchConnection.parse(
        conn_id="c",
        host="https://acct.westeurope.batch.azure.com",
        login=None,
        password=None,
        extra={"sign_in": "integrated", "tenant_id": "organizations"},
        clouds={},
    )
    callback = token_callback(person, on_secret=lambda _: None)
    assert not isinstance(callback._request, CachedTokenRequest)


def test_directory_is_where_the_configuration_says(monkeypatch, tmp_path):
    assert token_cache_dir() is None
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE_DIR", str(tmp_path))
    assert token_cache_dir() == tmp_path
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE_DIR", "~/tokens")
    assert token_cache_dir() == Path.home() / "tokens"
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE_DIR", "tokens")
    with pytest.raises(ValueError, match="token_cache_dir must be an absolute path"):
        token_cache_dir()
