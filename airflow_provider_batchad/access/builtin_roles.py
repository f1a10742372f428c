"""Azure's built-in roles for Batch, to compare with.

Source: `Azure built-in roles for Compute
<https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/compute>`__.
"""

from __future__ import annotations

from typing import Final

from airflow_provider_batchad.access.permissions import Permission
from airflow_provider_batchad.access.roles import CustomRole

_ACCOUNT: Final = "Microsoft.Batch/batchAccounts"

JOB_SUBMITTER: Final = CustomRole(
    name="Azure Batch Job Submitter",
    description="Lets you submit and manage jobs in the Batch account.",
    assignable_scopes=("/",),
    permissions=(
        Permission(
            actions=(
                f"{_ACCOUNT}/applications/read",
                f"{_ACCOUNT}/applications/versions/read",
                f"{_ACCOUNT}/pools/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            ),
            data_actions=(f"{_ACCOUNT}/jobSchedules/*", f"{_ACCOUNT}/jobs/*"),
        ),
    ),
)
