"""Operators that manage pools, for a connection of their own whose principal is a pool administrator.

The connection that submits jobs cannot do this under its computed role, and should not: whoever may write
pools can run up any cost. None of them waits: Batch queues tasks until there are nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_batchad.operators.declaring import DeclaresActions, declaring

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.access.wanted import Wanted
    from airflow_provider_batchad.jobs.pools import IfAllowed
    from airflow_provider_batchad.jobs.rest import Steps


class _PoolOperator(DeclaresActions, BaseOperator):
    """What they have in common.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``; no default, since it
        should not be that of the jobs. (templated)
    """

    ui_color = "#dfe8f6"

    def __init__(self, *, batchad_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batchad_conn_id = batchad_conn_id

    def _run(self, make: Callable[[IfAllowed], Steps[bool]]) -> bool:
        from airflow_provider_batchad.errors import PermissionDenied
        from airflow_provider_batchad.hooks import AzureBatchAdHook
        from airflow_provider_batchad.hooks.pool_look import if_pools_may_be_read

        with AzureBatchAdHook(self.batchad_conn_id) as hook:
            try:
                return hook.run(make(partial(if_pools_may_be_read, hook.connection)))
            except PermissionDenied as error:
                raise AirflowFailException(str(error)) from error


class AzureBatchCreatePoolOperator(_PoolOperator):
    """Make a pool, unless it is there already from the same specification. Returns its id.

    Source: `Create Pool <https://learn.microsoft.com/rest/api/batchservice/pools/create-pool>`__.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``, of a pool administrator.
        (templated)
    :param specification: the fields of ``Create Pool`` in snake case, such as ``id``, ``vm_size``,
        ``virtual_machine_configuration`` and ``target_dedicated_nodes``. (templated)
    :raises AirflowFailException: the specification is wrong, or the principal's role lacks an action.
    :raises Conflict: another pool of that id is there.
    """

    template_fields: Sequence[str] = ("batchad_conn_id", "specification")
    template_fields_renderers: ClassVar[dict[str, str]] = {"specification": "json"}

    def __init__(self, *, specification: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.specification = specification

    @classmethod
    def wanted_actions(cls, arguments: Mapping[str, Any]) -> Iterable[Wanted]:  # noqa: ARG003 - the same for any
        """Writing pools; reading them, to tell a pool that is there from this one."""
        return _writing("makes the pool", "tells a pool that is there from this one")

    @declaring
    def execute(self, context: Context) -> str:  # noqa: ARG002 - Airflow's signature
        """Make it."""
        from airflow_provider_batchad.jobs.pools import build_pool, create_pool
        from airflow_provider_batchad.jobs.schema import SpecificationError

        try:
            spec = build_pool(self.specification)
        except SpecificationError as error:
            raise AirflowFailException(f"specification: {error}") from error
        made = self._run(partial(create_pool, spec))
        self.log.info("Pool %s %s.", spec.id, "is made" if made else "is there already, as it should be")
        return spec.id


class AzureBatchResizePoolOperator(_PoolOperator):
    """Have a pool take a number of nodes, unless it does already.

    Source: `Resize Pool <https://learn.microsoft.com/rest/api/batchservice/pools/resize-pool>`__.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``, of a pool administrator.
        (templated)
    :param pool_id: an existing pool. (templated)
    :param target_dedicated_nodes: how many nodes that are not taken away. (templated)
    :param target_low_priority_nodes: how many Spot nodes. (templated)
    :raises AirflowFailException: neither number is given, one is no number, or the principal's role lacks an
        action.
    :raises Conflict: the pool is being resized to another size, or follows a formula.
    """

    template_fields: Sequence[str] = (
        "batchad_conn_id",
        "pool_id",
        "target_dedicated_nodes",
        "target_low_priority_nodes",
    )

    def __init__(
        self,
        *,
        pool_id: str,
        target_dedicated_nodes: int | str | None = None,
        target_low_priority_nodes: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_id = pool_id
        self.target_dedicated_nodes = target_dedicated_nodes
        self.target_low_priority_nodes = target_low_priority_nodes

    @classmethod
    def wanted_actions(cls, arguments: Mapping[str, Any]) -> Iterable[Wanted]:  # noqa: ARG003 - the same for any
        """Writing pools; reading them, to see whether one that is being resized becomes of this size."""
        return _writing("resizes the pool", "sees whether a pool that is being resized becomes of this size")

    @declaring
    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Ask for it."""
        from airflow_provider_batchad.jobs.pools import resize_pool

        targets = {
            "targetDedicatedNodes": _count("target_dedicated_nodes", self.target_dedicated_nodes),
            "targetLowPriorityNodes": _count("target_low_priority_nodes", self.target_low_priority_nodes),
        }
        given = {name: count for name, count in targets.items() if count is not None}
        if not given:
            raise AirflowFailException(
                "target_dedicated_nodes, target_low_priority_nodes: say how many nodes the pool is to have"
            )
        asked = self._run(partial(resize_pool, self.pool_id, given))
        self.log.info("Pool %s %s.", self.pool_id, "is being resized" if asked else "is of this size already")


class AzureBatchDeletePoolOperator(_PoolOperator):
    """Delete a pool; one that is not there is no error.

    Source: `Delete Pool <https://learn.microsoft.com/rest/api/batchservice/pools/delete-pool>`__.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``, of a pool administrator.
        (templated)
    :param pool_id: the pool; tasks that run on it are interrupted, and go back into the queue. (templated)
    :raises AirflowFailException: the principal's role lacks an action.
    """

    template_fields: Sequence[str] = ("batchad_conn_id", "pool_id")

    def __init__(self, *, pool_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool_id = pool_id

    @classmethod
    def wanted_actions(cls, arguments: Mapping[str, Any]) -> Iterable[Wanted]:  # noqa: ARG003 - the same for any
        """Deleting pools."""
        from airflow_provider_batchad.access.actions import Action
        from airflow_provider_batchad.access.wanted import Wanted

        return (Wanted(action=Action.POOLS_DELETE, why="deletes the pool"),)

    @declaring
    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Ask for it."""
        from airflow_provider_batchad.jobs.pools import delete_pool

        there = self._run(lambda _: delete_pool(self.pool_id))
        self.log.info("Pool %s %s.", self.pool_id, "is being deleted" if there else "is not there")


def _writing(why: str, look: str) -> tuple[Wanted, ...]:
    from airflow_provider_batchad.access.actions import Action
    from airflow_provider_batchad.access.wanted import Wanted

    return (
        Wanted(action=Action.POOLS_WRITE, why=why),
        Wanted(action=Action.POOLS_READ, why=look, optional=True),
    )


def _count(name: str, given: object) -> int | None:
    """A number of nodes; a template renders to text."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    try:
        count = -1 if isinstance(given, bool) else int(str(given))
    except ValueError:
        count = -1
    if count < 0:
        raise AirflowFailException(f"{name}: expected a number of nodes, 0 or more, not {given!r}")
    return count
