from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_batchad.connection_form import CONNECTION_TYPE_NAME, EXTRA_FIELDS, STANDARD_FIELDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_readme_has_a_line_for_each_field_of_the_connection() -> None:
    rows = [f"| {field.label} | `{field.name}` |" for field in STANDARD_FIELDS]
    rows += [f"| {field.label} | extra `{field.name}` |" for field in EXTRA_FIELDS]
    assert CONNECTION_TYPE_NAME in README
    assert [row for row in rows if row not in README] == []


def test_the_readmes_first_dag_is_one() -> None:
    [source] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(source, names)  # noqa: S102 - the README's own lines
    from airflow.sdk import DAG

    [dag] = [value for value in names.values() if isinstance(value, DAG)]
    assert dag.task_ids == ["hello"]


def test_contributing_describes_exactly_the_verbs_that_there_are() -> None:
    [phony] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    verbs = {verb for verb in phony.split() if not verb.startswith(".")}
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    described = re.findall(r"^\| `make ([\w.-]+)` \|", contributing, flags=re.MULTILINE)
    assert set(described) == verbs


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "dags_examples").rglob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        (document.name, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def test_no_document_puts_a_secret_among_a_commands_arguments() -> None:
    """Every user of a machine can read its list of processes."""
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        assert re.findall(r"^.*--value[ =].*$", document.read_text(), flags=re.MULTILINE) == [], document.name
