"""What the codes mean with which Batch says why a pool or a node cannot run tasks, and what to do.

Source: https://learn.microsoft.com/azure/batch/batch-pool-node-error-checking, and the code lists of
azure-batch's sibling for .NET (``PoolResizeErrorCodes``, ``ComputeNodeErrorCodes``).
"""

from __future__ import annotations

from typing import Final

from airflow_provider_batchad.jobs.failure_codes import MEANINGS as TASK_MEANINGS
from airflow_provider_batchad.jobs.failure_codes import Blame, Meaning

_MORE_CORES: Final = "Ask Azure for a larger quota of cores, or shrink another pool of the account."


def _pool(what: str, advice: str) -> Meaning:
    return Meaning(blame=Blame.POOL, what=what, advice=advice)


MEANINGS: Final[dict[str, Meaning]] = {
    "AccountCoreQuotaReached": _pool("The account may have no more dedicated cores.", _MORE_CORES),
    "AccountLowPriorityCoreQuotaReached": _pool("The account may have no more Spot cores.", _MORE_CORES),
    "AccountSpotCoreQuotaReached": _pool("The account may have no more Spot cores.", _MORE_CORES),
    "AccountVMSeriesCoreQuotaReached": _pool(
        "The account may have no more cores of this VM series.", _MORE_CORES
    ),
    "CommunicationEnabledPoolReachedMaxVMCount": _pool(
        "A pool whose nodes talk to each other has as many nodes as it may.",
        "Switch enable_inter_node_communication off, or use several pools.",
    ),
    "AllocationFailed": _pool(
        "Azure could not provide the nodes.", "Look at the pool's resize errors: network, image, or capacity."
    ),
    "AllocationTimedOut": _pool(
        "Azure did not provide the nodes in time.",
        "Resize again, lengthen resize_timeout, or choose another VM size or region.",
    ),
    "UnsupportedSize": _pool("The region has no such VM size.", "Choose another VM size."),
    "RemoveNodesFailed": _pool("Nodes could not be removed.", "Resize again."),
    "ResizeStopped": Meaning(
        blame=Blame.SOMEBODY, what="Somebody stopped the resize.", advice="Resize the pool again."
    ),
    **{
        code: TASK_MEANINGS[code]
        for code in (
            "ApplicationPackageError",
            "DiskFull",
            "ResourceDirectoryCreateFailed",
            "ResourceFileCreateFailed",
            "ResourceFileWriteFailed",
            "Unknown",
        )
    },
}

_BY_FOLDED: Final = {code.casefold(): meaning for code, meaning in MEANINGS.items()}


def pool_meaning_of(code: str | None) -> Meaning | None:
    """What a code means, compared without case; ``None`` for one that nobody knows, to be shown as it is."""
    return _BY_FOLDED.get((code or "").casefold())
