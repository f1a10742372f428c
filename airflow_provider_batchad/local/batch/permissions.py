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

_DELETE_POOLS: Final = Requirement(actions=(f"{_ACCOUNT}/pools/delete",))
_READ_SCHEDULES: Final = Requirement(data_actions=(f"{_ACCOUNT}/jobSchedules/read",))
_WRITE_SCHEDULES: Final = Requirement(data_actions=(f"{_ACCOUNT}/jobSchedules/write",))
_DELETE_SCHEDULES: Final = Requirement(data_actions=(f"{_ACCOUNT}/jobSchedules/delete",))
_READ_APPLICATIONS: Final = Requirement(actions=(f"{_ACCOUNT}/applications/read",))

# The documents say that jobs which use an auto pool need pool-level write permissions.
AUTO_POOL: Final = Requirement(actions=(f"{_ACCOUNT}/pools/write",), data_actions=(f"{_ACCOUNT}/jobs/write",))
AUTO_POOL_OF_SCHEDULE: Final = Requirement(
    actions=(f"{_ACCOUNT}/pools/write",), data_actions=(f"{_ACCOUNT}/jobSchedules/write",)
)

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
        "List Subtasks": _READ_JOBS,  # by verb
        "Replace Task": _WRITE_JOBS,  # by verb
        "Delete Task": _DELETE_JOBS,  # by verb; jobs/write is as likely
        "Terminate Task": _WRITE_JOBS,  # by verb
        "Reactivate Task": _WRITE_JOBS,  # by verb
        "List Task Files": _READ_JOBS,  # by verb
        "Get Task File": _READ_JOBS,  # by verb
        "Get Task File Properties": _READ_JOBS,  # by verb
        "Delete Task File": _DELETE_JOBS,  # by verb; jobs/write is as likely
        "Create Job Schedule": _WRITE_SCHEDULES,  # documented, by the description of jobSchedules/write
        "List Job Schedules": _READ_SCHEDULES,  # documented: "Lists job schedules … or gets the properties …"
        "Get Job Schedule": _READ_SCHEDULES,  # documented
        "Job Schedule Exists": _READ_SCHEDULES,  # by verb
        "Update Job Schedule": _WRITE_SCHEDULES,  # documented
        "Replace Job Schedule": _WRITE_SCHEDULES,  # documented
        "Delete Job Schedule": _DELETE_SCHEDULES,  # documented
        "Disable Job Schedule": _WRITE_SCHEDULES,  # by verb
        "Enable Job Schedule": _WRITE_SCHEDULES,  # by verb
        "Terminate Job Schedule": _WRITE_SCHEDULES,  # by verb
        "List Jobs From Schedule": Requirement(
            data_actions=(f"{_ACCOUNT}/jobSchedules/read", f"{_ACCOUNT}/jobs/read")
        ),  # by verb; either may be enough
        "Create Pool": _WRITE_POOLS,  # documented: "Creates a new pool on a Batch account or updates …"
        "Update Pool": _WRITE_POOLS,  # documented
        "Replace Pool Properties": _WRITE_POOLS,  # documented
        "Delete Pool": _DELETE_POOLS,  # documented
        "Resize Pool": _WRITE_POOLS,  # by verb
        "Stop Pool Resize": Requirement(actions=(f"{_ACCOUNT}/pools/stopResize/action",)),  # documented
        "Enable Pool Auto Scale": _WRITE_POOLS,  # by verb
        "Disable Pool Auto Scale": Requirement(
            actions=(f"{_ACCOUNT}/pools/disableAutoscale/action",)
        ),  # documented
        "Evaluate Pool Auto Scale": _WRITE_POOLS,  # by verb
        "Remove Nodes": _WRITE_POOLS,  # by verb
        "Reboot Node": _WRITE_POOLS,  # by verb
        "Reimage Node": _WRITE_POOLS,  # by verb
        "Start Node": _WRITE_POOLS,  # by verb
        "Deallocate Node": _WRITE_POOLS,  # by verb
        "Disable Node Scheduling": _WRITE_POOLS,  # by verb
        "Enable Node Scheduling": _WRITE_POOLS,  # by verb
        "Create Node User": _WRITE_POOLS,  # by verb
        "Replace Node User": _WRITE_POOLS,  # by verb
        "Delete Node User": _WRITE_POOLS,  # by verb
        "Get Node Remote Login Settings": _READ_POOLS,  # by verb
        "List Applications": _READ_APPLICATIONS,  # documented
        "Get Application": _READ_APPLICATIONS,  # documented
        "List Supported Images": Requirement(actions=(f"{_ACCOUNT}/read",)),  # by verb
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
