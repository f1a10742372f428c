"""How long the role of a folder of DAGs takes: ``python -m benchmarks.roles [--json]``.

A folder of 200 DAGs with ten operators each is made and read by Airflow's own DagBag; measured is what comes
after: what each task wants, the roles, and their text.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_batchad.access.role_forms import RoleForm, write_role
from airflow_provider_batchad.access.roles import CustomRole
from airflow_provider_batchad.commands.dag_bag import read_bag
from airflow_provider_batchad.commands.dag_reader import read_needs
from airflow_provider_batchad.commands.needs import need_of_uses, reasons_of
from benchmarks.command_line import parser_of

DAGS, OPERATORS = 200, 10
_DAG = """
from airflow.sdk import DAG, task
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator as Submit

with DAG("dag_{number}"):
    for n in range({plain}):
        Submit(task_id=f"plain_{{n}}", pool_id="cpu", tasks=[{{"command_line": "true"}}] * 20,
               batchad_conn_id=f"conn_{{n % 5}}", cleanup="delete" if n % 2 else "keep")
    Submit.partial(task_id="mapped", pool_id="cpu", command_line="true").expand(cleanup=["keep", "delete"])

    @task
    def code():
        AzureBatchAdHook("conn_0", actions=["jobs/read"]).get_conn()

    code()
"""


def run() -> dict[str, float]:
    """Read a folder of DAGs and write the roles."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(DAGS):
            text = _DAG.format(number=number, plain=OPERATORS - 2)
            (Path(folder) / f"dag_{number}.py").write_text(text)
        # Airflow says how it goes.
        with contextlib.redirect_stderr(io.StringIO()):
            bag = read_bag(folder, None, verb="role")
        start = time.perf_counter()
        needs = read_needs(bag)
        for conn_id, uses in needs.uses.items():
            role = CustomRole.smallest(
                need_of_uses(uses), name=conn_id, description="", assignable_scopes=["/subscriptions/s"]
            )
            write_role(role, RoleForm.BICEP, reasons_of(uses), reasons_of(uses, optional=True))
        seconds = time.perf_counter() - start
    if needs.dags != DAGS or needs.tasks != DAGS * OPERATORS or len(needs.uses) != 6:
        raise SystemExit(f"The folder was not read whole: {needs.dags} DAGs, {needs.tasks} tasks")
    return {"dags": needs.dags, "operators": needs.tasks, "seconds": round(seconds, 3)}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser_of(__doc__).parse_args(arguments)
    found = run()
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"The roles of {found['dags']:.0f} DAGs with {found['operators']:.0f} operators: "
        f"{found['seconds']:.2f} s beyond Airflow's own parsing"
    )


if __name__ == "__main__":
    main()
