"""docs/least-privilege.md against what the code says."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.access.actions import Action, parse_action, short_name
from airflow_provider_batchad.access.preflight import Verdict
from airflow_provider_batchad.commands.arguments import (
    add_check_arguments,
    add_plan_arguments,
    add_role_arguments,
)
from airflow_provider_batchad.commands.check import STATUSES
from airflow_provider_batchad.connection_form import LeastPrivilege
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

PAGE = (Path(__file__).parents[2] / "docs" / "least-privilege.md").read_text()
PARSERS = {"role": add_role_arguments, "check": add_check_arguments, "plan": add_plan_arguments}
USES: dict[str, dict[str, Any]] = {
    "submit, wait, read logs and outputs": {},
    "the same with": {"cleanup": "delete"},
    "jobs with a pool of their own": {"job": {"pool_info": {"auto_pool_specification": {}}}},
}


def row(beginning: str) -> list[str]:
    (line,) = (one for one in PAGE.splitlines() if one.startswith(f"| {beginning}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def actions_in(cell: str) -> set[str]:
    return {short_name(parse_action(name)) for name in re.findall(r"`(\w+/\w+)`", cell)}


@pytest.mark.parametrize("use", USES)
def test_the_roles_of_typical_uses_are_the_computed_ones(use: str) -> None:
    _, data_actions, actions, _ = row(use)
    wanted = [one.action for one in AzureBatchSubmitJobOperator.required_actions(USES[use])]
    ours = {short_name(one) for one in wanted if not isinstance(one, Action)}
    stated = actions_in(data_actions)
    assert ours == (stated | {"jobs/read", "jobs/write"} if data_actions.startswith("and") else stated)
    assert actions_in(actions) == {short_name(one) for one in wanted if isinstance(one, Action)}


def test_the_exit_statuses_are_those_of_the_command() -> None:
    words = {
        Verdict.EXACT: "it holds exactly",
        Verdict.MISSING: "something is missing",
        Verdict.UNKNOWN: "it cannot be told",
        Verdict.TOO_MUCH: "it holds more",
    }
    for verdict, text in words.items():
        assert row(f"{STATUSES[verdict]} ")[1].startswith(text)


def test_each_choice_of_least_privilege_has_a_row() -> None:
    for choice in LeastPrivilege:
        assert row(f"`{choice.value}`")


@pytest.mark.parametrize("line", re.findall(r"(?:^|\")(airflow batchad [^\n\"]+)", PAGE, re.MULTILINE))
def test_the_commands_on_the_page_are_real(line: str) -> None:
    verb, *arguments = shlex.split(line.partition(" > ")[0])[2:]
    parser = argparse.ArgumentParser()
    PARSERS[verb](parser)
    parser.parse_args(arguments)
