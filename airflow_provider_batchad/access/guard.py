"""Refuses, before it is sent, a request outside of what the code that makes it has declared.

A principal's role is computed from what operators declare; a request that is not declared would be answered
with 403 under that role, or would make use of a role that is too large. Imported with a client alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from azure.core.pipeline.policies import SansIOHTTPPolicy

from airflow_provider_batchad.access.actions import AnyAction, short_name
from airflow_provider_batchad.access.declaration import UNDECLARED_READS, Declaration, current_declaration
from airflow_provider_batchad.access.operations import find_operation, need_of
from airflow_provider_batchad.errors import UndeclaredRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azure.core.pipeline import PipelineRequest

_log = logging.getLogger(__name__)

# What servers and proxies take for the method in place of the request's own. Whether Batch does so is not
# documented.
_OTHER_METHOD: Final = frozenset({"x-http-method", "x-http-method-override", "x-method-override"})


class Guard(SansIOHTTPPolicy[Any, Any]):
    """A policy for the front of a Batch client's pipeline, sync or async: one call for each request.

    :param enforce: refuse; otherwise warn, and let it pass.
    :param own: what the client's one user has declared; what the context declares goes before it.
    """

    def __init__(self, *, enforce: bool, own: Declaration | None = None) -> None:
        self._enforce = enforce
        self._own = own
        self._warned: set[tuple[str | None, str]] = set()

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Look at a request.

        :raises UndeclaredRequest: it is outside of what is declared.
        """
        http = request.http_request
        declaration = current_declaration() or self._own
        path = urlsplit(http.url).path
        operation = find_operation(http.method, path)
        later = request.context.options.get("headers") or ()  # azure-core's own policy adds these
        if operation is None or _names_other_method((*http.headers, *later)):
            self._refuse(f"{http.method} {path}", declaration, ())
            return
        need = need_of(operation, http.content)
        if declaration is not None:
            missing = declaration.lacks(need)
            if missing:
                self._refuse(operation.name, declaration, missing)
        elif need.actions or not need.data_actions <= UNDECLARED_READS:
            self._refuse(operation.name, None, need.all())
        else:
            self._warn(
                operation.name, None, need.all(), f"'{operation.name}' is let pass, since it reads jobs."
            )

    def _refuse(
        self, operation: str, declaration: Declaration | None, missing: tuple[AnyAction, ...]
    ) -> None:
        if self._enforce:
            raise UndeclaredRequest(
                f"'{operation}' was not sent: {_said(declaration, missing)}",
                operation=operation,
                actions=tuple(action.value for action in missing),
                remedy=_remedy(missing),
            )
        why = "It is let pass, since the connection's 'least_privilege' is 'warn'."
        self._warn(operation, declaration, missing, why)

    def _warn(
        self,
        operation: str,
        declaration: Declaration | None,
        missing: tuple[AnyAction, ...],
        why: str,
    ) -> None:
        # Once for each: a poll would say it every few seconds.
        key = (declaration.who if declaration else None, operation)
        if key not in self._warned:
            self._warned.add(key)
            said, remedy = _said(declaration, missing), _remedy(missing)
            _log.warning("'%s': %s %s %s", operation, said, why, remedy)


def _names_other_method(headers: Iterable[str]) -> bool:
    return any(name.lower() in _OTHER_METHOD for name in headers)


def _said(declaration: Declaration | None, missing: tuple[AnyAction, ...]) -> str:
    needed = " and ".join(short_name(action) for action in missing)
    if not missing:
        return "it is no operation of the Batch service that this package knows, or a header makes it one."
    if declaration is None:
        return f"it needs {needed}, and this code declares no actions."
    return f"it needs {needed}, which {declaration.who} does not declare."


def _remedy(missing: tuple[AnyAction, ...]) -> str:
    if not missing:
        return "Set 'least_privilege' of the connection to 'off' to send it all the same."
    names = ", ".join(repr(short_name(action)) for action in missing)
    return (
        f"Make it with a hook that declares it, AzureBatchAdHook(conn_id, actions=[{names}]), on a "
        "connection whose principal's role has it."
    )
