"""Reads a folder of DAGs, or Airflow's DAG bundles, as Airflow does."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_batchad.commands.report import give_up

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


def read_bag(
    dags_folder: str | None,
    dag_ids: Sequence[str] | None,
    *,
    bundle_names: Sequence[str] | None = None,
    verb: str,
) -> DagBag:
    """The DAGs of a folder, or of Airflow's DAG bundles; those with these ids alone where some are given.

    :param bundle_names: all bundles unless given.
    :param verb: for messages.
    """
    if dags_folder == "":
        give_up(verb, "--dags-folder: it is empty; leave it out for Airflow's own DAG bundles")
    if dags_folder and bundle_names:
        give_up(verb, "--dags-folder, --bundle-name: give one of them")
    # What a DAG file or Airflow prints is no part of the answer.
    with contextlib.redirect_stdout(sys.stderr):
        bag = _bag_of_folder(Path(dags_folder), verb) if dags_folder else _bag_of_bundles(bundle_names, verb)
    absent = set(dag_ids or ()) - set(bag.dags)
    if absent:
        give_up(verb, f"--dag-id: there is no DAG {', '.join(sorted(absent))}")
    for dag_id in set(bag.dags) - set(dag_ids or bag.dags):
        del bag.dags[dag_id]
    return bag


def _bag_of_folder(folder: Path, verb: str) -> DagBag:
    from airflow.dag_processing.dagbag import DagBag

    if not folder.exists():
        give_up(verb, f"--dags-folder: there is no {folder}")
    if folder.is_dir():
        # As Airflow does for its own: DAG files import their neighbours.
        sys.path.append(str(folder.resolve()))
    return DagBag(dag_folder=folder, load_op_links=False)


def _bag_of_bundles(names: Sequence[str] | None, verb: str) -> DagBag:
    """One bag of all of them; which of two DAGs with one id it has, Airflow leaves to chance as well."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, DagBag

    try:
        every = list(DagBundlesManager().get_all_dag_bundles())  # type: ignore[no-untyped-call]  # Airflow's own
    except Exception as error:  # noqa: BLE001 - the option names a class of anybody's making
        give_up(verb, f"[dag_processor] dag_bundle_config_list: {type(error).__name__}: {error}")
    unknown = sorted(set(names or ()) - {bundle.name for bundle in every})
    if unknown:
        known = ", ".join(bundle.name for bundle in every)
        give_up(verb, f"--bundle-name: Airflow has no DAG bundle {', '.join(unknown)}; there are: {known}")
    whole = DagBag(dag_folder=os.devnull, load_op_links=False, collect_dags=False)
    for bundle in every:
        if names and bundle.name not in names:
            continue
        try:
            bundle.initialize()
            bag = BundleDagBag(
                bundle.path, bundle_path=bundle.path, bundle_name=bundle.name, load_op_links=False
            )
        except Exception as error:  # noqa: BLE001 - a bundle is of anybody's making, and may ask anybody
            give_up(verb, f"the DAG bundle {bundle.name!r} cannot be read: {type(error).__name__}: {error}")
        whole.dags.update(bag.dags)
        whole.import_errors.update({str(bundle.path / file): why for file, why in bag.import_errors.items()})
    return whole
