"""Which REST operation of the Batch service needs which action or data action.

Source: `Role-based access control for Azure Batch
<https://learn.microsoft.com/azure/batch/batch-role-based-access-control>`__ and `permissions of
Microsoft.Batch <https://learn.microsoft.com/azure/role-based-access-control/permissions/compute>`__. They
document the actions of each resource; which call of a resource needs which of them is inferred from its verb.
Tasks and their files have no actions of their own: they go by the job's.
"""

from __future__ import annotations

from enum import StrEnum

_ACCOUNT = "Microsoft.Batch/batchAccounts"


class DataAction(StrEnum):
    """The data actions of Microsoft.Batch that this package's requests need."""

    JOBS_READ = f"{_ACCOUNT}/jobs/read"
    JOBS_WRITE = f"{_ACCOUNT}/jobs/write"
    JOBS_DELETE = f"{_ACCOUNT}/jobs/delete"


REQUIRED: dict[str, tuple[DataAction, ...]] = {
    "Create Job": (DataAction.JOBS_WRITE,),
    "Get Job": (DataAction.JOBS_READ,),
    "List Jobs": (DataAction.JOBS_READ,),
    "Update Job": (DataAction.JOBS_WRITE,),
    "Terminate Job": (DataAction.JOBS_WRITE,),
    "Delete Job": (DataAction.JOBS_DELETE,),
    "Get Job Task Counts": (DataAction.JOBS_READ,),
    "List Job Preparation And Release Task Status": (DataAction.JOBS_READ,),
    "Create Task Collection": (DataAction.JOBS_WRITE,),
    "List Tasks": (DataAction.JOBS_READ,),
    "Get Task File": (DataAction.JOBS_READ,),
    "Get Task File Properties": (DataAction.JOBS_READ,),
}


def actions_for(operation: str) -> tuple[str, ...]:
    """The actions that ``operation`` needs; empty for one that this package does not send."""
    return tuple(action.value for action in REQUIRED.get(operation, ()))


def explain_missing(actions: tuple[str, ...], operation: str, principal: str) -> str:
    """What to do about a 403 on ``operation``: the action that is missing, and the role that has it."""
    needed = " and ".join(actions) or "an action that this package does not know"
    return (
        f"The role of {principal} lacks {needed}, which '{operation}' needs. Assign it, at the Batch "
        "account, a custom role with that data action, or the built-in role 'Azure Batch Job Submitter'. A "
        "new assignment takes up to ten minutes."
    )
