from __future__ import annotations

import argparse

import pytest

from airflow_provider_batchad.local.cli.fault_arguments import parse_fault
from airflow_provider_batchad.local.cli.moments import parse_length, parse_moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("90s", 90), ("5m", 300), ("1d12h", 129_600), ("-2h", -7200), ("-3", -3)],
)
def test_length_of_time(text: str, seconds: float) -> None:
    assert parse_length(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1w", "2 h", "1h-2m", "nan", "inf", "1e9"])
def test_what_is_no_length_of_time_is_said(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no length of time such as"):
        parse_length(text)


def test_moment_needs_its_zone() -> None:
    assert parse_moment("2026-01-01T01:00:00+01:00") == parse_moment("2026-01-01T00:00:00Z")
    for text in ("2026-01-01", "2026-01-01T00:00:00"):
        with pytest.raises(argparse.ArgumentTypeError, match="has no time zone"):
            parse_moment(text)
    with pytest.raises(argparse.ArgumentTypeError, match="is no time such as"):
        parse_moment("tomorrow")


def test_words_and_json_make_the_same_fault() -> None:
    words = parse_fault(
        "service=batch operation='Create Task*' status=429 header='Retry-After: 5' times=3 when=after hold"
    )
    json = parse_fault(
        '{"service": "batch", "operation": "Create Task*", "status": 429, "headers": {"Retry-After": "5"}, '
        '"times": 3, "when": "after", "hold": true}'
    )
    assert words.as_json() | {"id": ""} == json.as_json() | {"id": ""}
    assert parse_fault("delay=0.5 probability=0.25 seed=7 skip=2").delay_seconds == 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("service=batch", "needs one of status, broken, delay, hold"),
        ("status=42", "status: '42' is no HTTP status"),
        ("status=503 header=x", "header: 'x' is no header such as"),
        ("service=mars status=503", "service: invalid choice: 'mars'"),
        ("statsu=503", "unrecognized arguments: statsu=503"),
        ("broken=reset code=Gone", "code belongs to an answer"),
        ("broken=reset status=503", "a connection that is reset has no status"),
        ("delay=inf", "delay: 'inf' is no number of seconds"),
        ("delay=soon", "delay: 'soon' is no number of seconds"),
        ("hold probability=2", "probability: '2' is no probability"),
        ("hold times=0", "times: '0' is no number of requests above 0"),
        ("hold skip=x", "skip: 'x' is no number of requests"),
        ("hold operation='Create", "No closing quotation"),
        ('{"status": 503', "delimiter"),
        ('{"status": 503, "statsu": 1}', "statsu: Extra inputs"),
        ('{"status": 42}', "status must be 200 to 599"),
    ],
)
def test_what_makes_no_fault_is_said_with_its_field(text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_fault(text)
    assert said in str(caught.value)
