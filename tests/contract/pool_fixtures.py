"""Pools and nodes of local Batch, waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import (
    HttpResponseError,
)

from tests.contract.batch_fixtures import Batch, eventually

MACHINE = models.VirtualMachineConfiguration(
    image_reference=models.BatchVmImageReference(
        publisher="Canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts", version="latest"
    ),
    node_agent_sku_id="batch.node.ubuntu 22.04",
)


def create_pool(batch: Batch, *, nodes: int | None = 1, spot: int | None = None, **options: Any) -> str:
    pool_id = batch.new_id().replace("job", "pool")
    batch.client.create_pool(
        models.BatchPoolCreateOptions(
            id=pool_id,
            vm_size="Standard_D2s_v3",
            virtual_machine_configuration=MACHINE,
            target_dedicated_nodes=nodes,
            target_low_priority_nodes=spot,
            **options,
        )
    )
    return pool_id


def pool_when(batch: Batch, pool_id: str, holds: Callable[[models.BatchPool], bool]) -> models.BatchPool:
    def look() -> models.BatchPool | None:
        pool = batch.client.get_pool(pool_id)
        return pool if holds(pool) else None

    found = eventually(look)
    assert found is not None
    return found


def steady(batch: Batch, pool_id: str) -> models.BatchPool:
    return pool_when(batch, pool_id, lambda pool: pool.allocation_state == "steady")


def nodes_in(batch: Batch, pool_id: str, *states: str) -> list[models.BatchNode]:
    """The pool's nodes, once all of them are in one of these states."""

    def look() -> list[models.BatchNode] | None:
        nodes = list(batch.client.list_nodes(pool_id))
        return nodes if nodes and all(node.state in states for node in nodes) else None

    found = eventually(look)
    assert found is not None
    return found


def code_of(error: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str]:
    model: Any = error.value
    return model.status_code, model.error.code
