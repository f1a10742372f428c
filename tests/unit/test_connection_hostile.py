from __future__ import annotations

import pytest

from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.errors import ConnectionFieldError
from tests.unit.hostile_connections import HOSTILE
from tests.unit.test_connection import CLIENT, HOST, IN_VAULT, custom_clouds
from tests.unit.test_connection_refused import WRONG, assert_names_its_field


@pytest.mark.parametrize(("changes", "field", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_connection_is_refused_with_its_field(changes, field, words):
    given = {"host": HOST, "login": CLIENT, "password": None, "extra": IN_VAULT, **changes}
    with pytest.raises(ConnectionFieldError) as caught:
        BatchConnection.parse(conn_id="batchad_default", clouds=custom_clouds(), **given)
    assert_names_its_field(caught.value, field, words)


def test_a_field_whose_name_has_no_end_is_named_in_short():
    with pytest.raises(ConnectionFieldError) as caught:
        BatchConnection.parse(
            conn_id="batchad_default",
            host=HOST,
            login=CLIENT,
            password=None,
            extra={**IN_VAULT, f"line\n{'x' * 100_000}": "y"},
            clouds={},
        )
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("host", [HOST.upper(), f"{HOST}/", f" {HOST}\n"])
def test_capitals_a_slash_and_blanks_around_the_host_are_no_harm(host):
    connection = BatchConnection.parse(
        conn_id="batchad_default", host=host, login=CLIENT, password=None, extra=IN_VAULT, clouds={}
    )
    assert connection.account_url == HOST


@pytest.mark.parametrize("port", [None, 0, 443])
def test_no_port_that_of_the_web_page_and_that_of_https_are_no_harm(port):
    connection = BatchConnection.parse(
        conn_id="batchad_default",
        host=HOST,
        login=CLIENT,
        password=None,
        extra=IN_VAULT,
        clouds={},
        port=port,
    )
    assert connection.account_url == HOST


def test_there_are_more_than_forty_of_them():
    assert len(WRONG) + len(HOSTILE) >= 200
