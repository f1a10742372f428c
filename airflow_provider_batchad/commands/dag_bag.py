"""Reads a folder of DAGs, as Airflow does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_batchad.commands.report import give_up

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


def read_bag(dags_folder: str | None, dag_ids: Sequence[str] | None, *, verb: str) -> DagBag:
    """The DAGs of a folder, or of Airflow's own; those with these ids alone where some are given.

    :param verb: for messages.
    """
    from airflow.dag_processing.dagbag import DagBag

    folder = Path(dags_folder) if dags_folder else None
    if folder is not None and not folder.exists():
        give_up(verb, f"--dags-folder: there is no {folder}")
    if folder is not None and folder.is_dir():
        # As Airflow does for its own: DAG files import their neighbours.
        sys.path.append(str(folder.resolve()))
    # What a DAG file or Airflow prints is no part of the answer.
    with contextlib.redirect_stdout(sys.stderr):
        bag = DagBag(dag_folder=folder, load_op_links=False)
    absent = set(dag_ids or ()) - set(bag.dags)
    if absent:
        give_up(verb, f"--dag-id: there is no DAG {', '.join(sorted(absent))}")
    for dag_id in set(bag.dags) - set(dag_ids or bag.dags):
        del bag.dags[dag_id]
    return bag
