"""Azure's built-in roles that matter to Batch, Key Vault and blobs, with their real ids and permissions."""

from __future__ import annotations

from typing import Final

from airflow_provider_batchad.local.access import Permission, Role

_BLOB_CONTAINERS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers"
_BATCH_SUBMITTER: Final = Role(
    id="48e5e92e-a480-4e71-aa9c-2778f4c13781",
    name="Azure Batch Job Submitter",
    description="Lets you submit and manage jobs in the Batch account.",
    permissions=(
        Permission(
            actions=(
                "Microsoft.Batch/batchAccounts/applications/read",
                "Microsoft.Batch/batchAccounts/applications/versions/read",
                "Microsoft.Batch/batchAccounts/pools/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            ),
            data_actions=(
                "Microsoft.Batch/batchAccounts/jobSchedules/*",
                "Microsoft.Batch/batchAccounts/jobs/*",
            ),
        ),
    ),
)
_BATCH_DATA_CONTRIBUTOR: Final = Role(
    id="6aaa78f1-f7de-44ca-8722-c64a23943cae",
    name="Azure Batch Data Contributor",
    description="Grants permissions to manage Batch pools and jobs but not to modify accounts.",
    permissions=(
        Permission(
            actions=(
                "Microsoft.Authorization/*/read",
                "Microsoft.Batch/batchAccounts/read",
                "Microsoft.Batch/batchAccounts/applications/*",
                "Microsoft.Batch/batchAccounts/certificates/*",
                "Microsoft.Batch/batchAccounts/certificateOperationResults/*",
                "Microsoft.Batch/batchAccounts/pools/*",
                "Microsoft.Batch/batchAccounts/poolOperationResults/*",
                "Microsoft.Batch/locations/*/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            ),
            data_actions=(
                "Microsoft.Batch/batchAccounts/jobSchedules/*",
                "Microsoft.Batch/batchAccounts/jobs/*",
            ),
        ),
    ),
)
_BATCH_ACCOUNT_CONTRIBUTOR: Final = Role(
    id="29fe4964-1e60-436b-bd3a-77fd4c178b3c",
    name="Azure Batch Account Contributor",
    description="Grants full access to manage all Batch resources, including Batch accounts, pools and jobs.",
    permissions=(
        Permission(
            actions=(
                "Microsoft.Authorization/*/read",
                "Microsoft.Batch/*",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            ),
            data_actions=("Microsoft.Batch/*",),
        ),
    ),
)
_BATCH_ACCOUNT_READER: Final = Role(
    id="11076f67-66f6-4be0-8f6b-f0609fd05cc9",
    name="Azure Batch Account Reader",
    description="Lets you view all resources including pools and jobs in the Batch account.",
    permissions=(
        Permission(
            actions=(
                "Microsoft.Batch/*/read",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            ),
            data_actions=("Microsoft.Batch/*/read",),
        ),
    ),
)
_OWNER: Final = Role(
    id="8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    name="Owner",
    description="Grants full access to manage all resources, including assigning roles in Azure RBAC.",
    permissions=(Permission(actions=("*",)),),
)
_CONTRIBUTOR: Final = Role(
    id="b24988ac-6180-42a0-ab88-20f7382dd24c",
    name="Contributor",
    description="Grants full access to manage all resources, but not to assign roles in Azure RBAC.",
    permissions=(
        Permission(
            actions=("*",),
            not_actions=(
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
                "Microsoft.Blueprint/blueprintAssignments/write",
                "Microsoft.Blueprint/blueprintAssignments/delete",
                "Microsoft.Compute/galleries/share/action",
            ),
        ),
    ),
)
_READER: Final = Role(
    id="acdd72a7-3385-48ef-bd42-f606fba81ae7",
    name="Reader",
    description="View all resources, but does not allow you to make any changes.",
    permissions=(Permission(actions=("*/read",)),),
)
_VAULT_SECRETS_USER: Final = Role(
    id="4633458b-17de-408a-b874-0445c86b69e6",
    name="Key Vault Secrets User",
    description="Read secret contents. Only works for key vaults that use Azure RBAC.",
    permissions=(
        Permission(
            data_actions=(
                "Microsoft.KeyVault/vaults/secrets/getSecret/action",
                "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            ),
        ),
    ),
)
_VAULT_SECRETS_OFFICER: Final = Role(
    id="b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    name="Key Vault Secrets Officer",
    description="Perform any action on the secrets of a key vault, except manage permissions.",
    permissions=(Permission(data_actions=("Microsoft.KeyVault/vaults/secrets/*",)),),
)
_BLOB_READER: Final = Role(
    id="2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    name="Storage Blob Data Reader",
    description="Allows for read access to Azure Storage blob containers and data.",
    permissions=(
        Permission(
            actions=(
                f"{_BLOB_CONTAINERS}/read",
                "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
            ),
            data_actions=(f"{_BLOB_CONTAINERS}/blobs/read",),
        ),
    ),
)
_BLOB_CONTRIBUTOR: Final = Role(
    id="ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    name="Storage Blob Data Contributor",
    description="Allows for read, write and delete access to Azure Storage blob containers and data.",
    permissions=(
        Permission(
            actions=(
                f"{_BLOB_CONTAINERS}/delete",
                f"{_BLOB_CONTAINERS}/read",
                f"{_BLOB_CONTAINERS}/write",
                "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
            ),
            data_actions=tuple(
                f"{_BLOB_CONTAINERS}/blobs/{verb}"
                for verb in ("delete", "read", "write", "move/action", "add/action")
            ),
        ),
    ),
)

BUILTIN_ROLES: Final[tuple[Role, ...]] = (
    _BATCH_SUBMITTER,
    _BATCH_DATA_CONTRIBUTOR,
    _BATCH_ACCOUNT_CONTRIBUTOR,
    _BATCH_ACCOUNT_READER,
    _OWNER,
    _CONTRIBUTOR,
    _READER,
    _VAULT_SECRETS_USER,
    _VAULT_SECRETS_OFFICER,
    _BLOB_READER,
    _BLOB_CONTRIBUTOR,
)
