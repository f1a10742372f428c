"""What each operation of the Batch service needs, written from the service's own documents.

The split between actions and data actions is documented ("Azure permissions for Compute", "Role-based access
control for Azure Batch"). Which operation needs which is documented for none; a row marked "by verb" follows
from the action's description and the HTTP method.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from airflow_provider_batchad.local.access import Requirement

_ACCOUNT: Final = "Microsoft.Batch/batchAccounts"
_READ_JOBS: Final = Requirement(data_actions=(f"{_ACCOUNT}/jobs/read",))
_WRITE_JOBS: Final = Requirement(data_actions=(f"{_ACCOUNT}/jobs/write",))
_DELETE_JOBS: Final = Requirement(data_actions=(f"{_ACCOUNT}/jobs/delete",))
_READ_POOLS: Final = Requirement(actions=(f"{_ACCOUNT}/pools/read",))
_WRITE_POOLS: Final = Requirement(actions=(f"{_ACCOUNT}/pools/write",))

# The documents say that jobs which use an auto pool need pool-level write permissions.
AUTO_POOL: Final = Requirement(actions=(f"{_ACCOUNT}/pools/write",), data_actions=(f"{_ACCOUNT}/jobs/write",))

REQUIREMENTS: Final = MappingProxyType(
    {
        "Create Job": _WRITE_JOBS,  # documented, by the description of jobs/write
        "Get Job": _READ_JOBS,  # documented: "Lists jobs … or gets the properties of a job"
        "List Jobs": _READ_JOBS,  # documented
        "Update Job": _WRITE_JOBS,  # documented
        "Replace Job": _WRITE_JOBS,  # documented
        "Delete Job": _DELETE_JOBS,  # documented: "Deletes a job from a Batch account"
        "Disable Job": _WRITE_JOBS,  # by verb
        "Enable Job": _WRITE_JOBS,  # by verb
        "Terminate Job": _WRITE_JOBS,  # by verb
        "Get Job Task Counts": _READ_JOBS,  # by verb
        "List Job Preparation And Release Task Status": _READ_JOBS,  # by verb
        "Create Task": _WRITE_JOBS,  # by verb
        "Create Task Collection": _WRITE_JOBS,  # by verb
        "Get Task": _READ_JOBS,  # by verb
        "List Tasks": _READ_JOBS,  # by verb
        "Replace Task": _WRITE_JOBS,  # by verb
        "Delete Task": _DELETE_JOBS,  # by verb; jobs/write is as likely
        "Terminate Task": _WRITE_JOBS,  # by verb
        "Reactivate Task": _WRITE_JOBS,  # by verb
        "List Task Files": _READ_JOBS,  # by verb
        "Get Task File": _READ_JOBS,  # by verb
        "Get Task File Properties": _READ_JOBS,  # by verb
        "Delete Task File": _DELETE_JOBS,  # by verb; jobs/write is as likely
        "List Pools": _READ_POOLS,  # documented: "Lists pools … or gets the properties of a pool"
        "Get Pool": _READ_POOLS,  # documented
        "Pool Exists": _READ_POOLS,  # by verb
        "List Pool Node Counts": _READ_POOLS,  # by verb
        "List Nodes": _READ_POOLS,  # by verb
        "Get Node": _READ_POOLS,  # by verb
        "List Node Files": _READ_POOLS,  # by verb
        "Get Node File": _READ_POOLS,  # by verb
        "Get Node File Properties": _READ_POOLS,  # by verb
        "Delete Node File": _WRITE_POOLS,  # by verb
    }
)
