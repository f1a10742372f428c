from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.jobs import tasks as packing
from airflow_provider_batchad.jobs.tasks import PackedTasks, TaskSpec


def packed(tasks: list[TaskSpec]) -> PackedTasks:
    made = PackedTasks()
    for task in tasks:
        made.append(task)
    return made


@given(st.lists(st.text(max_size=5), max_size=350))
def test_tasks_come_back_in_order_each_time_they_are_read(texts: list[str]) -> None:
    tasks = [TaskSpec.of(f"t{n}", {"id": f"t{n}", "commandLine": text}) for n, text in enumerate(texts)]
    made = packed(tasks)
    assert list(made) == tasks
    assert list(made) == tasks
    assert len(made) == len(tasks)
    assert made.ids == [task.id for task in tasks]


def test_what_is_compressed_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_MOST_PLAIN_BYTES", 10_000)
    line = "python3 summarise.py\nweather.csv\r\n\u2028"
    tasks = [TaskSpec.of(f"t{n}", {"id": f"t{n}", "commandLine": line}) for n in range(1050)]
    made = packed(tasks)
    assert list(made) == tasks
    assert made.packed_bytes < sum(len(task.body) for task in tasks) / 3
