from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from airflow.sdk.serde import deserialize, serialize

from airflow_provider_batchad.errors import OutputUnavailable
from airflow_provider_batchad.jobs.output_names import check_names, file_path
from airflow_provider_batchad.jobs.output_values import (
    MAX_DEPTH,
    UnfitValue,
    parse_json,
    parse_lines,
    parse_text,
)
from airflow_provider_batchad.jobs.outputs import SEARCHED_LOG_BYTES, read_outputs
from airflow_provider_batchad.jobs.rest import run
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, submit_to

JOB_ID = f"{PREFIX}3-1"


def nested(depth: int, inside: str = "") -> bytes:
    return (
        b'{"a":' * (depth // 2)
        + b"[" * (depth - depth // 2)
        + inside.encode()
        + (b"]" * (depth - depth // 2) + b"}" * (depth // 2))
    )


@pytest.mark.parametrize(
    "content",
    [
        nested(MAX_DEPTH, "1"),
        json.dumps([2**64 - 1, -(2**63), 1.5, True, None, "é", {"天": "気"}]).encode(),
        b'"\\ud83d\\ude00"',
        b"7",
    ],
)
def test_a_json_file_that_is_taken_goes_through_airflows_own_way_to_xcom(content: bytes) -> None:
    value = parse_json(content)
    assert deserialize(msgspec.msgpack.decode(msgspec.msgpack.encode(serialize(value)))) == value


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (nested(MAX_DEPTH + 1, "1"), f"more than {MAX_DEPTH} deep"),
        (nested(5_000), f"more than {MAX_DEPTH} deep"),
        (nested(1_000_000), f"more than {MAX_DEPTH} deep"),
        (b"[18446744073709551616]", "more than 64 bits"),
        (b"[-9223372036854775809]", "more than 64 bits"),
        (b"9" * 5_000, "no JSON"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"", "no JSON"),
        (b"{half", "no JSON"),
        (b'{"a": "\xffsecret"}', "byte 7 is not UTF-8"),
    ],
)
def test_json_that_xcom_cannot_hold_is_refused_with_the_reason(content: bytes, problem: str) -> None:
    with pytest.raises(UnfitValue, match=problem) as caught:
        parse_json(content)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("content", "problem"), [(b"a\xff", "byte 1"), (b"a\0b", "NUL")])
def test_a_text_that_is_none_is_refused_with_the_reason(content: bytes, problem: str) -> None:
    with pytest.raises(UnfitValue, match=problem):
        parse_text(content)


@pytest.mark.parametrize(
    ("log", "outputs"),
    [
        (b'::{"outputs": {"rows": 3}}::', {"rows": 3}),
        (
            b'a\n::{"outputs": {"rows": 3, "b": 1}}::\r\nc\n  ::{"outputs":{"rows":[4]}}::  \nd',
            {"rows": [4], "b": 1},
        ),
        (b'::{"outputs": {}}::\n', {}),
        (b'\xff\xfe\n::{"outputs": {"a": "\xc3\xa9"}}::', {"a": "é"}),
    ],
)
def test_lines_of_a_log_say_outputs_together_and_a_later_one_goes_before(
    log: bytes, outputs: dict[str, Any]
) -> None:
    assert parse_lines([log]) == outputs


@pytest.mark.parametrize(
    "log",
    [
        b"",
        b"step 1\nstep 2\n",
        b'::{"metrics": [{"name": "outputs"}]}::\n::{half}::\n',
        b'::{"outputs": null, "metrics": 1}::',
        b'say ::{"outputs": {"a": 1}}:: now',
    ],
)
def test_a_log_without_such_a_line_is_refused(log: bytes) -> None:
    with pytest.raises(UnfitValue, match="no line"):
        parse_lines([log])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'::{"outputs": {"a": 1}::', "no JSON"),
        (b'::{"outputs": [1]}::', "no object"),
        (b'::{"outputs": {"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}}::", "deep"),
        (b'::{"outputs": {"a": NaN}}::', "NaN"),
    ],
)
def test_a_line_that_means_to_say_outputs_and_does_not_is_refused(line: bytes, problem: str) -> None:
    with pytest.raises(UnfitValue, match=problem):
        parse_lines([b'::{"outputs": {"b": 1}}::\n' + line])


def with_log(content: bytes) -> BatchModel:
    model = BatchModel()
    submit_to(model, plan_of(), spec_of(2))
    model.settle()
    model.jobs[JOB_ID].tasks["t0"].files["stdout.txt"] = content
    model.sent.clear()
    return model


def read(model: BatchModel, *names: str) -> Any:
    wanted = names[0] if len(names) == 1 else names
    return run(read_outputs(JOB_ID, ["t0"], wanted, 1000), model.send, lambda _: None)


def test_a_short_log_is_one_request() -> None:
    model = with_log(b'x\n::{"outputs": {"a": 1}}::\n')
    model.jobs[JOB_ID].tasks["t0"].files["wd/r.json"] = b"[2]"
    assert read(model, "::stdout::") == [{"a": 1}]
    assert model.operations == ["Get Task File"]
    assert read(model, "::stdout::", "r.json") == [{"::stdout::": {"a": 1}, "r.json": [2]}]


@pytest.mark.parametrize("middle", [100, SEARCHED_LOG_BYTES - 80, 3 * SEARCHED_LOG_BYTES])
def test_of_a_long_log_the_beginning_and_the_end_are_searched(middle: int) -> None:
    filling = (b"." * 49 + b"\n") * (SEARCHED_LOG_BYTES // 50)
    model = with_log(
        b'::{"outputs": {"a": 1, "b": 1}}::\n' + filling + b"." * middle + b'\n::{"outputs": {"b": 2}}::\n'
    )
    assert read(model, "::stdout::") == [{"a": 1, "b": 2}]
    assert len(model.sent) == 3
    assert all((request.max_bytes or 0) <= SEARCHED_LOG_BYTES for request in model.sent)


@pytest.mark.parametrize("log", [b"", b"nothing of the kind\n", b'::{"outputs": 3}::'])
def test_a_log_without_outputs_names_the_log_and_the_task(log: bytes) -> None:
    with pytest.raises(
        OutputUnavailable, match=r"'::stdout::' of Batch task 't0'.*is not what its name says"
    ):
        read(with_log(log), "::stdout::")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "not ''"),
        ([], "not an empty list"),
        (["a.json", 7], "not 7"),
        ({"a.json": "b"}, "not a dict"),
        (7, "not a int"),
        (["a", "a"], "twice"),
        ("/etc/passwd", "below the task's working directory"),
        ("a/../../stdout.txt", "below the task's working directory"),
        ("::log::", "neither a file's name nor one of ::stdout::, ::stderr::"),
    ],
)
def test_a_wrong_name_is_refused(given: object, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^outputs: ") as caught:
        check_names(given)
    assert problem in str(caught.value)


def test_names_stand_for_files() -> None:
    check_names(["a.json", "sub/b.txt", "::stdout::"])
    check_names(None)
    assert [file_path(name) for name in ("a.json", "./sub//b.txt", "::stderr::")] == [
        "wd/a.json",
        "wd/sub/b.txt",
        "stderr.txt",
    ]
