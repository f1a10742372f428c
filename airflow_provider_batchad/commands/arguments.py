"""The arguments of the verbs; each start of Airflow's command line reads them: nothing heavy is imported."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchad.access.role_forms import RoleForm
from airflow_provider_batchad.connection_form import DEFAULT_CONNECTION_ID

_AGAIN = "may be given again"


def add_login_arguments(parser: Any) -> None:
    """Those of ``login``."""
    _add_connection_argument(parser)
    parser.add_argument(
        "--device-code",
        action="store_true",
        help="show a code to type in on any machine's browser, in place of opening one here",
    )


def add_orphans_arguments(parser: Any) -> None:
    """Those of ``orphans``."""
    _add_connection_argument(parser)
    parser.add_argument(
        "--terminate",
        action="store_true",
        help="end them; the reason on the job says why, and who ran this",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each of them")


def add_role_arguments(parser: Any) -> None:
    """Those of ``role``."""
    _add_dag_arguments(parser)
    parser.add_argument("--conn-id", action="append", metavar="ID", help=f"only this connection; {_AGAIN}")
    parser.add_argument(
        "--account-resource-id",
        metavar="ID",
        help="of the Batch account: the role is assignable at its resource group (default: the connection's)",
    )
    parser.add_argument("--name", help="the role's name (default: made from the connection's ID)")
    parser.add_argument(
        "--form",
        choices=[form.value for form in RoleForm],
        default=RoleForm.AZURE_CLI.value,
        help="how to write it (default: %(default)s)",
    )
    parser.add_argument(
        "--output-dir", metavar="PATH", help="write one file for each connection, in place of printing"
    )
    parser.add_argument(
        "--diff", metavar="FILE", help="compare with the role in this file; the status is 1 where they differ"
    )


def add_check_arguments(parser: Any) -> None:
    """Those of ``check``."""
    _add_connection_argument(parser)
    _add_dag_arguments(parser)
    parser.add_argument(
        "--role", metavar="FILE", help="judge the role in this file, and ask nobody what the principal holds"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def add_plan_arguments(parser: Any) -> None:
    """Those of ``plan``."""
    _add_dag_arguments(parser)
    parser.add_argument("--task-id", action="append", metavar="ID", help=f"only this task; {_AGAIN}")
    parser.add_argument(
        "--logical-date",
        metavar="DATE",
        help="render templates for this date (default: the DAG's start date, which stays the same)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON array, for programs")


def _add_dag_arguments(parser: Any) -> None:
    parser.add_argument(
        "--dags-folder", metavar="PATH", help="a folder or file of DAGs (default: all DAG bundles of Airflow)"
    )
    parser.add_argument(
        "-B", "--bundle-name", action="append", metavar="NAME", help=f"only this DAG bundle; {_AGAIN}"
    )
    parser.add_argument("--dag-id", action="append", metavar="ID", help=f"only this DAG; {_AGAIN}")


def _add_connection_argument(parser: Any) -> None:
    parser.add_argument(
        "conn_id",
        nargs="?",
        default=DEFAULT_CONNECTION_ID,
        help="the ID of the Airflow connection (default: %(default)s)",
    )
