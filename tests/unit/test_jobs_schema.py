from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.jobs.schema import (
    SpecificationError,
    iso_duration,
    load_schema,
    to_rest,
)

SCHEMA = load_schema()
TYPES = st.sampled_from(["BatchJobCreateOptions", "BatchTaskCreateOptions"])
DURATION = re.compile(r"P(\d+)DT(\d+)H(\d+)M(\d+(?:\.\d+)?)S")
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=5),
    "integer": st.integers(),
    "boolean": st.booleans(),
    "duration": st.sampled_from(["PT15M", "P7D", "P1DT2H3M4.5S", "PT01H00M00S"]),
    "object": st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
}


def values(kind: Any, depth: int) -> st.SearchStrategy[Any]:
    """REST values of a kind."""
    if isinstance(kind, list):
        return st.lists(values(kind[0], depth + 1), max_size=2)
    if isinstance(kind, dict):
        return st.sampled_from(kind["enum"])
    return SCALARS[kind] if kind in SCALARS else bodies(kind, depth + 1)


@st.composite
def bodies(draw: st.DrawFn, type_name: str, depth: int = 0) -> dict[str, Any]:
    """REST bodies of a type: all required fields, and some others."""
    fields = SCHEMA[type_name].values()
    body = {}
    for field in fields:
        if field.get("required") or (depth < 4 and draw(st.integers(0, 3)) == 0):
            body[field["rest"]] = draw(values(field["kind"], depth))
    return body


def in_snake_case(type_name: str, body: dict[str, Any]) -> dict[str, Any]:
    names = {field["rest"]: (name, field["kind"]) for name, field in SCHEMA[type_name].items()}
    return {names[rest][0]: _snake(names[rest][1], value) for rest, value in body.items()}


def _snake(kind: Any, value: Any) -> Any:
    if isinstance(kind, list):
        return [_snake(kind[0], item) for item in value]
    return in_snake_case(kind, value) if isinstance(kind, str) and kind in SCHEMA else value


@given(data=st.data(), type_name=TYPES)
def test_a_body_in_snake_case_becomes_the_rest_apis_own(data: st.DataObject, type_name: str) -> None:
    body = data.draw(bodies(type_name))
    assert to_rest(type_name, in_snake_case(type_name, body), "x") == body


@given(data=st.data(), type_name=TYPES)
def test_the_rest_apis_own_names_are_taken_as_they_are(data: st.DataObject, type_name: str) -> None:
    body = data.draw(bodies(type_name))
    assert to_rest(type_name, body, "x") == body


def kinds() -> Iterator[tuple[str, Any]]:
    for type_name, fields in SCHEMA.items():
        for name, field in fields.items():
            kind = field["kind"]
            yield f"{type_name}.{name}", kind[0] if isinstance(kind, list) else kind


def test_every_kind_of_the_schema_is_known() -> None:
    unknown = [
        path for path, kind in kinds() if not isinstance(kind, dict) and kind not in {*SCALARS, *SCHEMA}
    ]
    assert not unknown


def task(**fields: Any) -> dict[str, Any]:
    return to_rest("BatchTaskCreateOptions", {"id": "t", "command_line": "true", **fields}, "tasks[17]")


@pytest.mark.parametrize(
    ("fields", "rest"),
    [
        (
            {"environment_settings": {"A": "1", "B": "2"}},
            {"environmentSettings": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        ),
        (
            {"environment_settings": [{"name": "A", "value": "1"}]},
            {"environmentSettings": [{"name": "A", "value": "1"}]},
        ),
        ({"required_slots": " 2 "}, {"requiredSlots": 2}),
        (
            {"constraints": {"max_wall_clock_time": timedelta(hours=25)}},
            {"constraints": {"maxWallClockTime": "P1DT1H0M0S"}},
        ),
        (
            {"user_identity": {"auto_user": {"scope": "Pool", "elevation_level": "NonAdmin"}}},
            {"userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}},
        ),
        ({"depends_on": {"task_ids": ("a", "b")}}, {"dependsOn": {"taskIds": ["a", "b"]}}),
        ({"display_name": None}, {}),
        ({"displayName": "one"}, {"displayName": "one"}),
    ],
)
def test_what_an_author_may_write(fields: dict[str, Any], rest: dict[str, Any]) -> None:
    assert task(**fields) == {"id": "t", "commandLine": "true", **rest}


@pytest.mark.parametrize(
    ("fields", "path", "problem"),
    [
        ({"comand_line": "x"}, "comand_line", "the REST API has no such field; did you mean 'command_line'?"),
        ({"zzz": 1}, "zzz", "the REST API has no such field; it knows"),
        ({"commandLine": "x"}, "command_line", "is given twice, in snake case and by its REST name"),
        ({"command_line": None}, "command_line", "is required"),
        ({"command_line": 5}, "command_line", "expected a string, not a int"),
        ({"required_slots": True}, "required_slots", "expected a whole number, not a bool"),
        ({"required_slots": "two"}, "required_slots", "expected a whole number, not a str"),
        ({"required_slots": 1.5}, "required_slots", "expected a whole number, not a float"),
        ({"environment_settings": "A=1"}, "environment_settings", "expected a list, not a str"),
        ({"environment_settings": {"A": 1}}, "environment_settings[0].value", "expected a string, not a int"),
        ({"resource_files": {"http_url": "x"}}, "resource_files", "expected a list, not a dict"),
        (
            {"resource_files": [{"http_url": "a"}, {"htp_url": "b"}]},
            "resource_files[1].htp_url",
            "the REST API has no such field; did you mean 'http_url'?",
        ),
        ({"resource_files": ["a"]}, "resource_files[0]", "expected the fields of a ResourceFile (a dict)"),
        ({"user_identity": {"auto_user": {"scope": "all"}}}, "user_identity.auto_user.scope", "task, pool"),
        ({"constraints": {"max_wall_clock_time": "1h"}}, "constraints.max_wall_clock_time", "'PT15M'"),
        (
            {"constraints": {"max_wall_clock_time": timedelta(seconds=-1)}},
            "constraints.max_wall_clock_time",
            "expected a timedelta or an ISO 8601 duration such as 'PT15M', not a timedelta",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: dict[str, Any], path: str, problem: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        task(**fields)
    assert caught.value.path == f"tasks[17].{path}"
    assert problem in caught.value.problem
    assert str(caught.value) == f"{caught.value.path}: {caught.value.problem}"


def test_a_wrong_value_is_not_shown_since_it_may_be_a_secret() -> None:
    with pytest.raises(SpecificationError) as caught:
        task(environment_settings={"KEY": b"s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["true", "True", " TRUE "])
def test_a_boolean_may_be_rendered_by_jinja(text: str) -> None:
    body = to_rest(
        "BatchJobCreateOptions", {"id": "j", "pool_info": {}, "uses_task_dependencies": text}, "job"
    )
    assert body["usesTaskDependencies"] is True


@pytest.mark.parametrize("wrong", ["yes", 1, ""])
def test_a_boolean_is_nothing_else(wrong: object) -> None:
    with pytest.raises(SpecificationError, match="expected true or false"):
        to_rest("BatchJobCreateOptions", {"id": "j", "pool_info": {}, "uses_task_dependencies": wrong}, "job")


@pytest.mark.parametrize("text", ["P7D", "PT15M", "PT0.5S", "P1DT2H", "P10675199DT2H48M5.4775807S"])
def test_an_iso_duration_is_taken(text: str) -> None:
    assert task(constraints={"retention_time": text})["constraints"] == {"retentionTime": text}


@pytest.mark.parametrize("text", ["", "P", "PT", "7D", "P1DT", "-P1D", "PT1H2", "P٣D", "PT15M "])
def test_what_is_no_iso_duration_is_refused(text: str) -> None:
    with pytest.raises(SpecificationError, match="ISO 8601"):
        task(constraints={"retention_time": text})


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10_000)))
def test_a_duration_keeps_its_length(value: timedelta) -> None:
    match = DURATION.fullmatch(iso_duration(value))
    assert match is not None
    days, hours, minutes = (int(part) for part in match.groups()[:3])
    back = timedelta(days=days, hours=hours, minutes=minutes, seconds=float(match[4]))
    assert abs(back - value) <= timedelta(microseconds=1)
    assert task(constraints={"retention_time": value})["constraints"]["retentionTime"] == match[0]
