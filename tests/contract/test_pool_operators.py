"""The operators that manage pools: safe to repeat, on a connection of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.access.actions import Action, short_name
from airflow_provider_batchad.cli import main
from airflow_provider_batchad.errors import Conflict, Unreachable
from airflow_provider_batchad.local.access import Permission, Role
from airflow_provider_batchad.local.config import LocalAzureConfig, stable_id
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.operators import (
    AzureBatchCreatePoolOperator,
    AzureBatchDeletePoolOperator,
    AzureBatchResizePoolOperator,
)
from tests.contract.batch_fixtures import eventually
from tests.contract.signing_in import SigningIn, connected

CONNECTION = "batchad_default"
POOL: dict[str, Any] = {
    "id": "made",
    "vm_size": "standard_d2s_v3",
    "virtual_machine_configuration": {
        "image_reference": {
            "publisher": "canonical",
            "offer": "0001-com-ubuntu-server-jammy",
            "sku": "22_04-lts",
        },
        "node_agent_sku_id": "batch.node.ubuntu 22.04",
    },
    "target_dedicated_nodes": 1,
}


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
        hold(signing_in, Action.POOLS_WRITE, Action.POOLS_DELETE, Action.POOLS_READ)
        yield signing_in


def hold(signing_in: SigningIn, *actions: Action) -> None:
    """The principal holds exactly these at the account."""
    book, config = signing_in.azure.roles, signing_in.azure.config
    for assignment in book.assignments():
        if assignment.scope == config.account_scope:
            book.unassign(assignment.id)
    permission = Permission(actions=tuple(action.value for action in actions))
    book.define(Role(id=stable_id("pools"), name="pools", permissions=(permission,), custom=True))
    principal = config.applications[0].object_id
    book.assign(principal_id=principal, role="pools", scope=config.account_scope)


def create(**changes: Any) -> str:
    specification = {**POOL, **changes}
    operator = AzureBatchCreatePoolOperator(
        task_id="t", batchad_conn_id=CONNECTION, specification=specification
    )
    return str(operator.execute({}))


def resize(**targets: Any) -> None:
    AzureBatchResizePoolOperator(task_id="t", batchad_conn_id=CONNECTION, pool_id="made", **targets).execute(
        {}
    )


def delete() -> None:
    AzureBatchDeletePoolOperator(task_id="t", batchad_conn_id=CONNECTION, pool_id="made").execute({})


def steady(signing_in: SigningIn) -> None:
    eventually(lambda: signing_in.azure.batch.pools.get("made").allocation == "steady")


def asked(signing_in: SigningIn, operation: str) -> list[int]:
    return [entry.status for entry in signing_in.azure.ledger.entries(service="batch", operation=operation)]


def test_a_pool_is_made_once_however_often_it_is_asked_for(signing_in: SigningIn) -> None:
    assert [create(), create()] == ["made", "made"]
    assert asked(signing_in, "Create Pool") == [201, 409]


def test_a_lost_answer_makes_no_error(signing_in: SigningIn) -> None:
    signing_in.azure.faults.add(
        FaultRule(service="batch", operation="Create Pool", broken="reset", when="after", times=1)
    )
    with pytest.raises(Unreachable):
        create()
    assert create() == "made"
    assert asked(signing_in, "Create Pool")[-1] == 409


def test_another_pool_of_that_id_is_not_taken_for_this_one(signing_in: SigningIn) -> None:
    create()
    with pytest.raises(Conflict, match="'made' is there, and is not this one"):
        create(target_dedicated_nodes=2)


def test_who_may_not_read_pools_is_told_of_the_one_that_is_there(signing_in: SigningIn) -> None:
    create()
    hold(signing_in, Action.POOLS_WRITE)
    for _ in range(2):
        with pytest.raises(Conflict, match="PoolExists"):
            create()
    # What was refused once is not asked for again.
    assert asked(signing_in, "Get Pool") == [403]


def test_a_wrong_specification_is_named_by_its_path_and_not_sent(signing_in: SigningIn) -> None:
    with pytest.raises(AirflowFailException, match=r"pool\.vm_siz: .*vm_size"):
        create(vm_siz="x")
    assert asked(signing_in, "Create Pool") == []


def being_resized(signing_in: SigningIn) -> None:
    rule = FaultRule(service="batch", operation="Resize Pool", status=409, code="PoolBeingResized", times=1)
    signing_in.azure.faults.add(rule)


def test_a_pool_is_resized_and_a_repeat_is_no_error(signing_in: SigningIn) -> None:
    create()
    steady(signing_in)
    resize(target_dedicated_nodes="2")
    being_resized(signing_in)
    resize(target_dedicated_nodes=2)
    assert asked(signing_in, "Resize Pool") == [202, 409]


def test_a_pool_that_becomes_of_another_size_is_for_a_retry(signing_in: SigningIn) -> None:
    create()
    being_resized(signing_in)
    with pytest.raises(Conflict, match="give the Airflow task retries"):
        resize(target_dedicated_nodes=5)


@pytest.mark.parametrize("targets", [{}, {"target_dedicated_nodes": ""}])
def test_a_resize_without_a_size_is_refused(targets: dict[str, Any], signing_in: SigningIn) -> None:
    with pytest.raises(AirflowFailException, match="target_dedicated_nodes, target_low_priority_nodes"):
        resize(**targets)


@pytest.mark.parametrize("count", [-1, "two", True, 1.5])
def test_a_size_that_is_none_is_refused(count: Any, signing_in: SigningIn) -> None:
    with pytest.raises(AirflowFailException, match="target_low_priority_nodes: expected a number of nodes"):
        resize(target_low_priority_nodes=count)


def test_a_pool_is_deleted_and_one_that_is_not_there_is_no_error(signing_in: SigningIn) -> None:
    create()
    delete()
    delete()
    assert asked(signing_in, "Delete Pool")[0] == 202


def test_a_connection_that_submits_and_manages_pools_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mixed.py").write_text(
        """
from airflow.sdk import DAG
from airflow_provider_batchad.operators import AzureBatchDeletePoolOperator, AzureBatchSubmitJobOperator

with DAG("mixed"):
    AzureBatchSubmitJobOperator(task_id="submit", pool_id="cpu", command_line="true")
    AzureBatchDeletePoolOperator(task_id="delete", batchad_conn_id="batchad_default", pool_id="cpu")
    AzureBatchDeletePoolOperator(task_id="apart", batchad_conn_id="admin", pool_id="cpu")
"""
    )
    for conn_id, told in (("batchad_default", True), ("admin", False)):
        with pytest.raises(SystemExit):
            main(["role", "--dags-folder", str(tmp_path), "--conn-id", conn_id])
        said = capsys.readouterr()
        assert said.out, said.err
        assert ("a connection of their own" in said.err) is told
        actions = {short_name(Action(text)) for text in json.loads(said.out)["Actions"]}
        assert actions == {"pools/delete"}
