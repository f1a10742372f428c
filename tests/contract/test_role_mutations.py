"""Each operator under exactly the role that is computed for it, and under that role less one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.access.actions import Action, AnyAction, short_name
from airflow_provider_batchad.local.access import Permission, Role
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig, stable_id
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator
from tests.contract.operator_runs import context_of, operator_of, resume, submit, wait_for_the_end
from tests.contract.signing_in import SigningIn, running

AUTO_POOL = {
    "pool_info": {
        "auto_pool_specification": {
            "pool_lifetime_option": "job",
            "pool": {
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
            },
        }
    }
}
VARIANTS: dict[str, dict[str, Any]] = {
    "keep": {"cleanup": "keep"},
    "delete": {"cleanup": "delete"},
    "delete_on_success": {"cleanup": "delete_on_success"},
    "outputs": {"outputs": "out.txt", "command_line": "/bin/sh -c 'echo 1 > out.txt'"},
    "auto pool": {"pool_id": None, "job": AUTO_POOL},
    "deferrable": {"deferrable": True},
    "no waiting": {"wait_for_completion": False},
}


@dataclass(frozen=True)
class Mutation:
    variant: str
    action: AnyAction | None

    def __str__(self) -> str:
        return f"{self.variant}, {'whole' if self.action is None else f'without {short_name(self.action)}'}"


def needed_by(variant: str) -> tuple[AnyAction, ...]:
    operator = operator_of(**VARIANTS[variant])
    wanted = AzureBatchSubmitJobOperator.required_actions(operator.own_arguments())
    return tuple(one.action for one in wanted)


WHOLE = [Mutation(variant, None) for variant in VARIANTS]
MUTATED = [Mutation(variant, action) for variant in VARIANTS for action in needed_by(variant)]


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    config = LocalAzureConfig(port=0, state_dir=tmp_path, pools=(PoolConfig(id="cpu", nodes=1, slots=2),))
    with running(monkeypatch, config) as signing_in:
        for name, value in client_environment(signing_in.azure).items():
            monkeypatch.setenv(name, value)
        yield signing_in


def give_role(signing_in: SigningIn, actions: tuple[AnyAction, ...]) -> None:
    """The principal holds exactly these at the account."""
    book, config = signing_in.azure.roles, signing_in.azure.config
    for assignment in book.assignments():
        if assignment.scope == config.account_scope:
            book.unassign(assignment.id)
    permission = Permission(
        actions=tuple(one.value for one in actions if isinstance(one, Action)),
        data_actions=tuple(one.value for one in actions if not isinstance(one, Action)),
    )
    role = Role(id=stable_id("exact"), name="exact", permissions=(permission,), custom=True)
    book.define(role)
    principal = config.applications[0].object_id
    book.assign(principal_id=principal, role=role.name, scope=config.account_scope)


def run(variant: str) -> Any:
    operator = operator_of(**VARIANTS[variant])
    context = context_of(operator)
    if not operator.deferrable:
        return operator.execute(context)
    job = submit(operator, context)
    wait_for_the_end()
    return resume(operator, context, "completed", job)


@pytest.mark.parametrize("mutation", WHOLE, ids=str)
def test_the_computed_role_is_enough(mutation: Mutation, signing_in: SigningIn) -> None:
    give_role(signing_in, needed_by(mutation.variant))
    run(mutation.variant)
    entries = signing_in.azure.ledger.entries(service="batch")
    assert not {entry.status for entry in entries} & {401, 403}


@pytest.mark.parametrize("mutation", MUTATED, ids=str)
def test_less_one_line_it_is_not(
    mutation: Mutation, signing_in: SigningIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutation.action is not None
    needed = needed_by(mutation.variant)
    give_role(signing_in, tuple(one for one in needed if one != mutation.action))
    if short_name(mutation.action) == "jobs/delete":
        # Clean-up never changes the verdict: the log says it.
        run(mutation.variant)
        said = "".join(capsys.readouterr())
    else:
        with pytest.raises(AirflowFailException) as failed:
            run(mutation.variant)
        said = str(failed.value)
    assert "HTTP 403" in said
    assert mutation.action.value in said
