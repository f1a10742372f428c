from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import mask_secret
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.hooks.masking import holds_masked_value
from airflow_provider_batchad.jobs.known_secrets import check_for_secrets
from airflow_provider_batchad.jobs.schema import SpecificationError
from airflow_provider_batchad.jobs.spec import build_job

SECRET = "canary-b7d1-of-a-job"


def tasks_of(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"t{number}", "command_line": f"run {number}", "environment_settings": {"DAY": "2026-03-01"}}
        for number in range(count)
    ]


def path_of_secret(tasks: Any, job: Any = None, *, secret: str = SECRET) -> str | None:
    spec = build_job(pool_id="cpu", tasks=tasks, command_line=None, job=job)
    try:
        check_for_secrets(spec, lambda text: secret in text)
    except SpecificationError as error:
        refusal = error
    else:
        return None
    assert secret not in str(refusal)
    assert "allow_secrets_in_job=True" in str(refusal)
    return refusal.path


def test_a_job_that_holds_none_passes() -> None:
    assert path_of_secret(tasks_of(250), {"display_name": "no secret"}) is None


@pytest.mark.parametrize("number", [0, 17, 99, 100, 249])
def test_the_path_names_the_task_and_the_field(number: int) -> None:
    tasks = tasks_of(250)
    tasks[number]["environment_settings"]["TOKEN"] = f"Bearer {SECRET}"
    assert path_of_secret(tasks) == f"tasks[{number}].environment_settings[1].value"


@pytest.mark.parametrize(
    ("job", "path"),
    [
        ({"display_name": SECRET}, "job.display_name"),
        ({"metadata": {"key": SECRET}}, "job.metadata[0].value"),
        (
            {"jobPreparationTask": {"commandLine": f"login --password={SECRET}"}},
            "job.job_preparation_task.command_line",
        ),
    ],
)
def test_the_job_itself_is_looked_at(job: Any, path: str) -> None:
    assert path_of_secret(tasks_of(1), job) == path


@pytest.mark.parametrize("name", ["key", SECRET])
def test_a_path_does_not_say_a_secret_that_is_a_name_of_the_authors_own(name: str) -> None:
    extension = {"name": "e", "publisher": "p", "type": "t", "settings": {name: SECRET}}
    machine = {
        "image_reference": {"offer": "o", "publisher": "p", "sku": "s"},
        "node_agent_sku_id": "a",
        "extensions": [extension],
    }
    pool = {"vm_size": "v", "virtual_machine_configuration": machine}
    auto = {"pool_lifetime_option": "job", "pool": pool}
    job = {"pool_info": {"auto_pool_specification": auto}}
    spec = build_job(pool_id=None, tasks=tasks_of(1), command_line=None, job=job)
    with pytest.raises(SpecificationError, match="virtual_machine_configuration") as caught:
        check_for_secrets(spec, lambda text: SECRET in text)
    assert caught.value.path.endswith("extensions[0].settings.key" if name == "key" else "[0].settings")


@pytest.mark.parametrize(
    "secret", ['it"s a secret', "back\\slash", "-----BEGIN\nabc\n-----END", "tab\tbell\x07"]
)
def test_a_secret_is_found_however_json_writes_it(secret: str) -> None:
    tasks = tasks_of(150)
    tasks[120]["command_line"] = f"echo {secret} | login"
    assert path_of_secret(tasks, secret=secret) == "tasks[120].command_line"


def test_what_only_the_wire_puts_together_is_no_secret() -> None:
    assert path_of_secret(tasks_of(3), secret='"name":"DAY"') is None
    assert path_of_secret(tasks_of(3), secret="commandLine") is None
    two = [{"id": name, "command_line": "say \\"} for name in "ab"]
    assert path_of_secret(two, secret="\\\nb") is None


def test_a_text_is_asked_about_once_for_a_hundred_tasks() -> None:
    asked: list[str] = []

    def holds_secret(text: str) -> bool:
        asked.append(text)
        return False

    spec = build_job(pool_id="cpu", tasks=tasks_of(1000), command_line=None, job=None)
    check_for_secrets(spec, holds_secret)
    assert len(asked) == 11


@pytest.fixture
def known() -> str:
    # Short ones, such as four digits, the masker does not take: they would strike out half a log.
    for secret in (SECRET, "1234"):
        mask_secret(secret)
    return SECRET


def test_airflows_masker_is_asked_for_values_and_not_for_names(known: str) -> None:
    def check(command_line: str, settings: dict[str, str]) -> Callable[[], None]:
        task = {"command_line": command_line, "environment_settings": settings}
        spec = build_job(pool_id="cpu", tasks=[task], command_line=None, job=None)
        return lambda: check_for_secrets(spec, holds_masked_value)

    check("echo 1234 *** password=abcdef", {"PASSWORD": "abcdef", "token": "none"})()
    with pytest.raises(SpecificationError, match=r"^tasks\[0\]\.command_line: holds a value"):
        check(f"echo {known}", {})()
    with pytest.raises(SpecificationError, match=r"^tasks\[0\]\.environment_settings\[0\]\.value: "):
        check("echo", {"HARMLESS": f"a{known}b"})()


@given(st.data())
def test_every_place_of_a_secret_among_many_tasks_is_found(data: st.DataObject) -> None:
    tasks = tasks_of(data.draw(st.integers(1, 320)))
    number = data.draw(st.integers(0, len(tasks) - 1))
    tasks[number]["command_line"] += data.draw(st.text(max_size=3)) + SECRET
    assert path_of_secret(tasks) == f"tasks[{number}].command_line"
