"""That the state of local Azure holds all that there is, whatever is added to an entity or to a service."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.local.batch.node import Node
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.state.catalogue import LEFT_OUT, OF_THE_RUN, PLAIN_CLASSES, RECORDS
from airflow_provider_batchad.local.state.file import StateReader, StateRefused, StateWriter
from airflow_provider_batchad.local.state.merge import Seen, merge_table
from airflow_provider_batchad.local.state.places import Places
from airflow_provider_batchad.local.state.records import Records
from airflow_provider_batchad.local.state.shapes import Uncovered

# Of the account: what is kept (pools, jobs, schedules, ticks, the quota of jobs), and what works for those.
OF_ACCOUNT = {"pools", "jobs", "schedules", "ticks", "job_flow"}
# Of local Azure: what is kept, and what belongs to the run or to the configuration.
OF_AZURE = {
    "account_keys",
    "batch",
    "claims_demands",
    "clock",
    "directory",
    "issuers",
    "machine_identity",
    "roles",
    "sign_ins",
    "storage",
    "tokens",
    "vault",
    "workload_issuer",
}
RUN_OF_AZURE = {
    "ca_file",
    "config",
    "endpoints",
    "faults",
    "federated_token_file",
    "identity_header",
    "ledger",
    "secrets_file",
    "services",
    "state",
    "_failure",
    "_loop",
    "_stop",
    "_thread",
}
# Codes of people's sign-ins live for minutes, and are not kept.
RUN_OF_SIGN_INS = {"_directory", "at_browser", "codes", "device_codes", "refresh_tokens"}
RUN_OF_ACCOUNT = {
    "_auto_pools",
    "_http",
    "_preparations",
    "_processes",
    "_timers",
    "applications",
    "autoscaling",
    "base_url",
    "name",
    "node_flow",
    "packages",
    "pool_flow",
    "schedule_flow",
    "scheduler",
    "task_flow",
}


def records(root: Path = Path("/state")) -> Records:
    return Records(root, {Node: Places().shape()})


def test_every_member_of_every_entity_has_a_plain_form_or_is_left_out_by_name() -> None:
    made = records()
    for cls in RECORDS.values():
        made.record(cls)


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    for cls, names in LEFT_OUT.items():
        assert is_dataclass(cls)
        assert names <= {one.name for one in fields(cls)}, cls


@dataclass(slots=True, kw_only=True)
class Grown:
    """An entity that was given a member which nobody thought of."""

    id: str
    sockets: frozenset[object]


def test_member_of_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(Uncovered, match=r"Grown\.sockets"):
        records().record(Grown)


@dataclass(slots=True, kw_only=True)
class Referring:
    id: str
    other: NotThere  # type: ignore[name-defined]  # noqa: F821 - the subject of the test


def test_type_that_the_catalogue_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(Uncovered, match="NotThere"):
        records().record(Referring)


def test_services_and_the_account_have_nothing_that_is_neither_kept_nor_of_the_run(tmp_path: Path) -> None:
    with LocalAzure(LocalAzureConfig(port=0, state_dir=tmp_path / "state")) as azure:
        targets: list[Any] = [
            azure.account_keys,
            azure.claims_demands,
            azure.clock,
            azure.directory,
            azure.issuers,
            azure.machine_identity,
            azure.roles,
            azure.sign_ins.refresh_tokens,
            azure.storage,
            azure.storage.containers,
            azure.batch.ticks,
            azure.tokens,
            azure.vault,
            azure.workload_issuer,
        ]
        for target in targets:
            cls = type(target)
            assert set(vars(target)) == set(PLAIN_CLASSES[cls]) | OF_THE_RUN[cls], cls.__name__
        for application in azure.directory.applications():
            assert set(vars(application)) == set(PLAIN_CLASSES[type(application)])
        assert {type(one) for one in targets} == set(OF_THE_RUN)
        assert set(vars(azure)) <= OF_AZURE | RUN_OF_AZURE
        assert set(vars(azure.sign_ins)) == RUN_OF_SIGN_INS
        assert set(vars(azure.batch)) <= OF_ACCOUNT | RUN_OF_ACCOUNT


def test_form_is_another_one_where_an_entity_is() -> None:
    made = records()
    without = {name: cls for name, cls in RECORDS.items() if name != "task"}
    assert made.digest(RECORDS) == records().digest(RECORDS)
    assert made.digest(RECORDS) != made.digest(without)


def write(path: Path, *lines: str, form: str = "f") -> None:
    writer = StateWriter(path, form)
    writer.write(lines)
    writer.commit()


def test_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    write(path, "1", '{"a": "é"}', "[2]")
    reader = StateReader(path, "f")
    assert list(reader) == [1, {"a": "é"}, [2]]
    assert reader.parse(reader.last, reader.lines) == [2]
    assert list(tmp_path.iterdir()) == [path]


def test_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    write(path, "1", form="older")
    with pytest.raises(StateRefused, match=r"state\.jsonl was written by another version .* move the file"):
        StateReader(path, "f")


@pytest.mark.parametrize("position", range(0, 240, 7))
def test_any_damage_is_noticed(tmp_path: Path, position: int) -> None:
    path = tmp_path / "state.jsonl"
    write(path, "1", '{"a": "some text that is long enough"}', "[2]")
    content = bytearray(path.read_bytes())
    place = position % len(content)
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StateRefused):
        StateReader(path, "f")


@pytest.mark.parametrize("kept", [0, 1, 20, 100, 150])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "state.jsonl"
    write(path, "1", "[2]")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StateRefused, match="is damaged"):
        StateReader(path, "f")


def test_what_is_saved_counts_what_is_new_is_added_what_was_removed_stays_away() -> None:
    seen = Seen()
    assert merge_table(seen, "pools", {"a": 1, "b": 1}, {}) == {"a": 1, "b": 1}
    again = Seen(seen.as_data())
    assert merge_table(again, "pools", {"a": 2, "b": 2, "c": 2}, {"a": 1, "x": 1}) == {
        "a": 1,
        "x": 1,
        "c": 2,
    }
    assert again.as_data() == {"pools": ["a", "b", "c"]}
