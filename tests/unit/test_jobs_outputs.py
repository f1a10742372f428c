from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_batchad.errors import OutputUnavailable, PermissionDenied, ServiceUnavailable
from airflow_provider_batchad.jobs.outputs import read_outputs
from airflow_provider_batchad.jobs.rest import run
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, submit_to

JOB_ID = f"{PREFIX}3-1"


@pytest.fixture
def model() -> BatchModel:
    model = BatchModel()
    submit_to(model, plan_of(), spec_of(12))
    model.settle()
    return model


def write(model: BatchModel, task_id: str, **files: bytes) -> None:
    named = {f"wd/{name.replace('_', '.')}": content for name, content in files.items()}
    model.jobs[JOB_ID].tasks[task_id].files |= named


def read(model: BatchModel, names: str | Sequence[str], *task_ids: str, most: int = 1000) -> list[Any]:
    return run(read_outputs(JOB_ID, task_ids, names, most), model.send, lambda _: None)


def test_one_result_a_task_in_the_order_of_the_tasks(model: BatchModel) -> None:
    ids = [f"t{number}" for number in (11, 2, 10, 0)]
    for task_id in ids:
        write(model, task_id, r_txt=task_id.encode())
    assert read(model, "r.txt", *ids) == ids


def test_json_is_parsed_and_the_rest_is_text(model: BatchModel) -> None:
    write(model, "t0", r_json=b'{"a": [1, null]}', r_txt="天気\n".encode())
    assert read(model, "r.json", "t0") == [{"a": [1, None]}]
    assert read(model, "r.txt", "t0") == ["天気\n"]


def test_several_files_make_a_dict(model: BatchModel) -> None:
    write(model, "t0", r_json=b"1", r_txt=b"one")
    assert read(model, ["r.txt", "r.json"], "t0") == [{"r.txt": "one", "r.json": 1}]
    assert read(model, ["r.txt"], "t0") == [{"r.txt": "one"}]


def test_an_empty_file_is_an_empty_text_and_no_json(model: BatchModel) -> None:
    write(model, "t0", r_txt=b"", r_json=b"")
    assert read(model, "r.txt", "t0") == [""]
    with pytest.raises(OutputUnavailable, match="is not what its name says"):
        read(model, "r.json", "t0")


def test_all_results_together_may_fill_the_limit_as_json_and_not_pass_it(model: BatchModel) -> None:
    write(model, "t0", r_txt=b"x" * 600, r_json=b'{"a":   [1,2.5,null,true]}')
    write(model, "t1", r_txt='\u5929"\\\x01'.encode() * 10, r_json=b"[]")
    for names in ("r.txt", "r.json", ["r.txt", "r.json"], ["r.txt"]):
        size = len(json.dumps(read(model, names, "t0", "t1", most=2000)))
        assert len(json.dumps(read(model, names, "t0", "t1", most=max(size, 610)))) == size
        with pytest.raises(OutputUnavailable, match="larger than max_output_bytes") as caught:
            read(model, names, "t0", "t1", most=size - 1)
        assert caught.value.too_large


def test_no_more_of_a_file_is_read_than_shows_that_it_is_too_large(model: BatchModel) -> None:
    write(model, "t0", r_txt=b"x" * 1_000_000)
    with pytest.raises(OutputUnavailable, match="larger than max_output_bytes"):
        read(model, "r.txt", "t0", most=1000)
    assert model.sent[-1].headers["ocp-range"] == "bytes=0-1000"
    assert model.sent[-1].max_bytes == 1001


def test_an_empty_file_fits_where_nothing_is_left(model: BatchModel) -> None:
    write(model, "t0", r_txt=b"x" * 10)
    write(model, "t1", r_txt=b"")
    assert read(model, "r.txt", "t0", "t1", most=len(json.dumps(["x" * 10, ""]))) == ["x" * 10, ""]


def test_a_file_that_is_not_there_names_the_task(model: BatchModel) -> None:
    write(model, "t0", r_txt=b"x")
    with pytest.raises(OutputUnavailable, match=r"Output 'r.txt' of Batch task 't1'.*FileNotFound") as caught:
        read(model, "r.txt", "t0", "t1")
    assert (caught.value.job_id, caught.value.task_id) == (JOB_ID, "t1")
    assert caught.value.remedy is not None


@pytest.mark.parametrize("code", ["TaskFilesUnavailable", "TaskFilesCleanedup", "NodeStateUnusable"])
def test_a_file_whose_node_is_gone_is_an_output_that_cannot_be_read(model: BatchModel, code: str) -> None:
    model.refusals = {"Get Task File": (409, code)}
    with pytest.raises(OutputUnavailable, match=code):
        read(model, "r.txt", "t0")


@pytest.mark.parametrize("content", [b"{not json", b'{"a": "\xff"}'])
def test_json_that_is_none_names_the_file_and_the_task(model: BatchModel, content: bytes) -> None:
    write(model, "t0", r_json=content)
    with pytest.raises(OutputUnavailable, match=r"'r.json' of Batch task 't0'.*is not what its name says"):
        read(model, "r.json", "t0")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(403, "AuthorizationFailure", PermissionDenied), (503, "ServerBusy", ServiceUnavailable)],
)
def test_any_other_refusal_is_raised_as_it_is(
    model: BatchModel, status: int, code: str, error: type[Exception]
) -> None:
    model.refusals = {"Get Task File": (status, code)}
    with pytest.raises(error):
        read(model, "r.txt", "t0")


def test_a_failure_that_was_let_pass_leaves_none_for_what_it_did_not_write(model: BatchModel) -> None:
    write(model, "t0", r_txt=b"zero")
    write(model, "t2", r_txt=b"two, before it failed")
    steps = read_outputs(JOB_ID, ["t0", "t1", "t2"], "r.txt", 1000, failed={"t1", "t2"})
    assert run(steps, model.send, lambda _: None) == ["zero", None, "two, before it failed"]
    with pytest.raises(OutputUnavailable, match="'t1'"):
        run(read_outputs(JOB_ID, ["t0", "t1"], "r.txt", 1000, failed={"t2"}), model.send, lambda _: None)


def test_a_failure_that_was_let_pass_leaves_none_for_what_it_wrote_in_part(model: BatchModel) -> None:
    write(model, "t0", r_json=b"1")
    write(model, "t1", r_json=b'{"half": ')
    steps = read_outputs(JOB_ID, ["t0", "t1"], "r.json", 1000, failed={"t1"})
    assert run(steps, model.send, lambda _: None) == [1, None]
