"""One family of errors; each says what happened and what to do, and whether trying again can help.

::

    BatchAdError
    ├── ConnectionFieldError      a field of the Airflow connection is missing, wrong or contradictory
    ├── CloudConfigurationError   ``[batchad] clouds`` of the Airflow configuration is wrong
    ├── ProxyConfigurationError   ``HTTPS_PROXY`` or its like is no proxy that can be used
    ├── RoleFileError             a file is no role definition
    ├── SignInError               no token: says at which step (Key Vault, managed identity, Entra ID)
    │   ├── VaultError            Key Vault refused, or does not hold, what the connection names
    │   ├── CredentialRefused     Entra ID refused the secret or certificate itself
    │   └── PrincipalNotFound     Entra ID does not know the tenant or the application
    ├── Unreachable               nothing answered, or what answered was throttled or broken
    ├── BatchServiceError         the Batch service answered with an error
    │   ├── PermissionDenied      403: the principal's role lacks an action
    │   ├── AccountRefusedToken   401, or 403 ``AuthenticationFailed``: wrong audience, tenant or account
    │   ├── NotFound              404
    │   ├── Conflict              409: look at ``code``
    │   └── ServiceUnavailable    408, 429 and 5xx: trying again can help
    ├── UndeclaredRequest         a request outside of what the code that makes it has declared
    ├── ForeignHostRefused        a request with a token was about to go to another host than the account's
    ├── Superseded                a later try of the same Airflow task has the job
    ├── TasksRejected             Batch refused tasks for what they say: the author's error
    ├── OutputUnavailable         a demanded output of a task cannot be read
    └── JobFailed                 the Batch job ended otherwise than it should
"""

from __future__ import annotations

from typing import ClassVar


class BatchAdError(Exception):
    """Root of the family.

    :param message: what happened and what was tried, in a sentence.
    :param remedy: what to do about it, in a sentence; appended to the text.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}" if remedy else message)


class ConnectionFieldError(BatchAdError):
    """A field of the connection is missing, wrong, or contradicts another. Never echoes an extra's value.

    :param field: the field as it is stored: ``host``, ``login``, ``password`` or ``extra.<name>``.
    """

    def __init__(self, message: str, *, conn_id: str, field: str, remedy: str | None = None) -> None:
        self.conn_id = conn_id
        self.field = field
        super().__init__(f"Connection {conn_id!r}, field {field!r}: {message}", remedy=remedy)


class CloudConfigurationError(BatchAdError):
    """The Airflow configuration ``[batchad] clouds`` does not define the cloud as it should.

    :param cloud: the name of the cloud, where it could be read.
    :param key: the key at fault, where there is one.
    """

    def __init__(
        self, message: str, *, cloud: str | None = None, key: str | None = None, remedy: str | None = None
    ) -> None:
        self.cloud = cloud
        self.key = key
        super().__init__(message, remedy=remedy)


class ProxyConfigurationError(BatchAdError):
    """A proxy of the process's environment cannot be used. Never echoes its value, which may hold a password.

    :param variable: the environment variable, such as ``HTTPS_PROXY``.
    """

    def __init__(self, message: str, *, variable: str, remedy: str | None = None) -> None:
        self.variable = variable
        super().__init__(f"Environment variable {variable}: {message}", remedy=remedy)


class RoleFileError(BatchAdError):
    """What was read is no role definition; names what is wrong in it."""


class SignInError(BatchAdError):
    """No token could be had.

    :param step: where it failed: ``vault`` (reading Key Vault, the sign-in to it included) or ``token``.
    :param code: the service's own code, such as ``AADSTS7000215`` or ``SecretNotFound``.
    """

    def __init__(
        self, message: str, *, step: str, code: str | None = None, remedy: str | None = None
    ) -> None:
        self.step = step
        self.code = code
        super().__init__(message, remedy=remedy)


class VaultError(SignInError):
    """Key Vault refused, or does not hold, what the connection names."""


class CredentialRefused(SignInError):
    """Entra ID refused the secret or certificate (AADSTS7000215, 7000222, 700027, 700024)."""


class PrincipalNotFound(SignInError):
    """Entra ID does not know the tenant or the application (AADSTS90002, 700016)."""


class Unreachable(BatchAdError):
    """Nothing answered, or what answered was throttled or broken. Says nothing about the credential.

    :param step: what was asked: ``vault``, ``token``, ``batch`` or ``management``.
    :param retry_after_seconds: how long the service asked to wait, where it did.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        step: str,
        retry_after_seconds: float | None = None,
        remedy: str | None = None,
    ) -> None:
        self.step = step
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message, remedy=remedy)


class BatchServiceError(BatchAdError):
    """The Batch service answered a request with an error.

    :param operation: the REST operation, such as ``Create Job``.
    :param status: the HTTP status.
    :param code: Batch's own error code, such as ``JobNotFound``; compare without case.
    :param request_id: the service's ``request-id``, to quote to Azure's support.
    :param details: the error's ``values``.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int,
        code: str | None = None,
        request_id: str | None = None,
        details: dict[str, str] | None = None,
        retry_after_seconds: float | None = None,
        remedy: str | None = None,
    ) -> None:
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.details = details or {}
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message, remedy=remedy)

    def is_code(self, *codes: str) -> bool:
        """Whether the service's code is one of these, compared without case."""
        return (self.code or "").casefold() in {code.casefold() for code in codes}


class PermissionDenied(BatchServiceError):
    """403: the principal's role lacks an action.

    :param actions: the actions or data actions that the operation needs.
    """

    def __init__(self, message: str, *, actions: tuple[str, ...], **fields: object) -> None:
        self.actions = actions
        super().__init__(message, **fields)  # type: ignore[arg-type]


class AccountRefusedToken(BatchServiceError):
    """401, or 403 ``AuthenticationFailed``: wrong audience, tenant or account, not a missing permission."""


class NotFound(BatchServiceError):
    """404."""


class Conflict(BatchServiceError):
    """409: of forty-odd meanings, two are "it is already there". Look at ``code``."""


class ServiceUnavailable(BatchServiceError):
    """408, 429 and 5xx: trying again can help."""

    retryable = True


class UndeclaredRequest(BatchAdError):
    """A request that the code which makes it has not declared; it was not sent.

    :param operation: the REST operation, or method and path of one that nobody knows.
    :param actions: what is not declared.
    """

    def __init__(
        self, message: str, *, operation: str, actions: tuple[str, ...], remedy: str | None = None
    ) -> None:
        self.operation = operation
        self.actions = actions
        super().__init__(message, remedy=remedy)


class ForeignHostRefused(BatchAdError):
    """A request that would carry a token was about to go to another host than the account's."""


class Superseded(BatchAdError):
    """A later try of the same Airflow task has the job: this process is a zombie and must leave it alone.

    :param number: this try.
    :param later: the try that has the job.
    """

    def __init__(self, *, job_id: str, number: int, later: int) -> None:
        self.job_id = job_id
        self.number = number
        self.later = later
        super().__init__(
            f"Batch job {job_id!r} belongs to try {later} of this Airflow task; this is try {number}, which "
            "Airflow has given up. It changes nothing."
        )


class TasksRejected(BatchAdError):
    """Batch refused tasks of a collection for what they say.

    :param rejected: Batch task id → the service's code and words.
    """

    def __init__(self, *, job_id: str, rejected: dict[str, str]) -> None:
        self.job_id = job_id
        self.rejected = rejected
        shown = [f"{task_id}: {problem}" for task_id, problem in list(rejected.items())[:5]]
        more = f" and {len(rejected) - 5} more" if len(rejected) > 5 else ""
        super().__init__(
            f"Batch rejected {len(rejected)} task(s) of job {job_id!r}: {'; '.join(shown)}{more}."
        )


class OutputUnavailable(BatchAdError):
    """A demanded output of a task cannot be read, or is more than XCom should hold.

    :param too_large: running the task again would not help.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str,
        task_id: str,
        too_large: bool = False,
        remedy: str | None = None,
    ) -> None:
        self.job_id = job_id
        self.task_id = task_id
        self.too_large = too_large
        super().__init__(message, remedy=remedy)


class JobFailed(BatchAdError):
    """The Batch job ended otherwise than it should.

    :param job_id: the Batch job.
    :param failed_task_ids: the Batch tasks that failed, in the order in which they were given.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        job_id: str,
        failed_task_ids: tuple[str, ...] = (),
        remedy: str | None = None,
    ) -> None:
        self.job_id = job_id
        self.failed_task_ids = failed_task_ids
        super().__init__(message, remedy=remedy)
