"""Reads blobs of one container, as the principal of a connection; of a storage account, nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from airflow_provider_batchad.endpoints import EndpointError, check_container_url
from airflow_provider_batchad.errors import (
    AccountRefusedToken,
    BatchServiceError,
    ForeignHostRefused,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unreachable,
)
from airflow_provider_batchad.hooks.batch import first_bytes
from airflow_provider_batchad.identity.proxies import strike_proxy_passwords, usable_proxy
from airflow_provider_batchad.identity.transports import plain_transport
from airflow_provider_batchad.identity.unreachable import parse_retry_after
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run

if TYPE_CHECKING:
    from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
    from airflow_provider_batchad.jobs.rest import Steps

T = TypeVar("T")

READ_BLOB: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
READER_ROLE: Final = "Storage Blob Data Reader"
"""Microsoft's role for that action."""
ASSIGNMENT: Final = (
    "az role assignment create --assignee-object-id <object-id> --assignee-principal-type ServicePrincipal "
    f'--role "{READER_ROLE}" --scope "<id of the account>/blobServices/default/containers/<container>"'
)
"""How the role is assigned, for people."""

# The oldest that takes tokens is of 2017.
_VERSION: Final = "2021-12-02"
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
# "Common REST API error codes": a firewall's refusal, and a token that is not one for this account.
_NOT_BY_ROLE: Final = "authorizationfailure"
_BAD_PROOF: Final = "authenticationfailed"


def read_blobs(hook: AzureBatchAdHook, container_url: str, steps: Steps[T]) -> T:
    """Run steps whose requests are all for blobs of a container.

    :raises PermissionDenied: the principal may not read blobs there.
    :raises BatchServiceError: another refusal.
    :raises SignInError: no token could be had.
    :raises Unreachable: nothing answered.
    """
    with BlobReader(hook, container_url) as reader:
        return run(steps, reader.send, time.sleep)


class BlobReader:
    """Sends requests for blobs, each with a token for Blob storage that is valid then.

    Source: `Get Blob <https://learn.microsoft.com/rest/api/storageservices/get-blob>`__ and `Authorize with
    Microsoft Entra ID
    <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>`__.

    :param container_url: nothing that is not below it is asked for.
    :raises ForeignHostRefused: it is on no host of the connection's cloud.
    """

    def __init__(self, hook: AzureBatchAdHook, container_url: str) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import UserAgentPolicy

        from airflow_provider_batchad.hooks.clients import ShortRetryPolicy
        from airflow_provider_batchad.identity.credential import TokenPolicy

        cloud = hook.connection.cloud
        try:
            check_container_url(container_url, cloud, (cloud,))
        except EndpointError as error:
            raise ForeignHostRefused(f"The URL of the container {error}") from error
        usable_proxy(container_url)
        self._hook = hook
        self._container = container_url
        verify: dict[str, Any] = {"connection_verify": cloud.ca_file} if cloud.ca_file else {}
        self._client: PipelineClient[Any, Any] = PipelineClient(
            container_url,
            policies=[
                UserAgentPolicy(sdk_moniker="airflow-provider-batchad"),
                ShortRetryPolicy(retry_total=5, retry_backoff_factor=0.8, retry_backoff_max=30),
                TokenPolicy(hook.callback_for(cloud.storage_scope), container_url),
            ],
            transport=plain_transport(connection_timeout=20, read_timeout=120, **verify),
        )

    def send(self, request: BatchRequest) -> BatchResponse:
        """Send one request and return its answer.

        :raises ForeignHostRefused: it is for something else than a blob of the container.
        """
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        if not request.path.startswith(f"{self._container}/"):
            raise ForeignHostRefused("A request with a token for a container was about to go elsewhere.")
        headers = {**request.headers, "x-ms-version": _VERSION}
        try:
            answer = self._client.send_request(
                HttpRequest(request.method, request.path, headers=headers), stream=True
            )
            with answer:
                if answer.status_code >= 300:
                    raise self._refused(request, answer.status_code, answer.headers)
                content = first_bytes(answer, request.max_bytes)
                return BatchResponse(status=answer.status_code, content=content)
        except AzureError as error:
            raise Unreachable(
                f"{request.operation}: {self._container} could not be reached: {type(error).__name__}: "
                f"{strike_proxy_passwords(error.message)}",
                step="storage",
                remedy="Check the storage account's name, and this machine's DNS, proxy and firewall.",
            ) from None  # the SDKs' own texts repeat what was sent or read

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refused(self, request: BatchRequest, status: int, headers: Any) -> BatchServiceError:
        code, request_id = headers.get("x-ms-error-code"), headers.get("x-ms-request-id")
        message = f"{request.operation} on {request.path}: HTTP {status} {code or ''}".rstrip()
        if request_id:
            message += f" [request-id {request_id}]"
        fields: dict[str, Any] = {
            "operation": request.operation,
            "status": status,
            "code": code,
            "request_id": request_id,
            "retry_after_seconds": parse_retry_after(headers),
        }
        if status == 401 or (status == 403 and (code or "").casefold() == _BAD_PROOF):
            return AccountRefusedToken(
                message, remedy="The storage account is in another tenant, or takes no tokens.", **fields
            )
        if status == 403:
            return PermissionDenied(message, actions=(READ_BLOB,), remedy=self._mend(code), **fields)
        if status == 404:
            return NotFound(message, **fields)
        return (ServiceUnavailable if status in _TRANSIENT else BatchServiceError)(message, **fields)

    def _mend(self, code: str | None) -> str:
        if (code or "").casefold() == _NOT_BY_ROLE:
            return "The storage account's firewall refuses the machine that asks; no role changes that."
        return (
            f"Give {self._hook.principal} the role {READER_ROLE!r} on the container: {ASSIGNMENT}. The job "
            "is over, and its files are there."
        )
