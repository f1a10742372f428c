"""How requests sends for azure-core and MSAL: as the environment says, but with our tokens alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.identity.whole_answer import bounded

if TYPE_CHECKING:
    import requests
    from azure.core.pipeline.transport import RequestsTransport


def ignore_netrc(session: requests.Session) -> None:
    """Keep requests from putting a password of ``~/.netrc`` in the place of a token, and sending it to Azure.

    An entry ``default`` there is for every host.
    """
    session.auth = _as_it_is


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def plain_transport(**settings: Any) -> RequestsTransport:
    """azure-core's own transport.

    :param settings: of the transport, such as ``connection_timeout`` and ``connection_verify``.
    """
    return _transports()[0](**settings)


def bounded_transport(**settings: Any) -> RequestsTransport:
    """The same; a minute is for the whole of each exchange.

    :param settings: as of :func:`plain_transport`.
    """
    return _transports()[1](**settings)


@cache
def _transports() -> tuple[type[RequestsTransport], type[RequestsTransport]]:
    from azure.core.exceptions import ServiceResponseTimeoutError
    from azure.core.pipeline.transport import RequestsTransport

    class PlainTransport(RequestsTransport):  # type: ignore[misc]  # azure-core gives it out by __getattr__
        def open(self) -> None:
            super().open()
            ignore_netrc(self.session)

    class BoundedTransport(PlainTransport):
        def send(self, request: Any, **options: Any) -> Any:
            send = super().send
            try:
                return bounded(lambda: send(request, **options))
            except TimeoutError as error:
                raise ServiceResponseTimeoutError(str(error)) from None

    return PlainTransport, BoundedTransport
