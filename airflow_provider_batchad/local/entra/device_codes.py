"""Device codes: an application without a browser asks, a person approves elsewhere."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.entra import grant_errors as refused
from airflow_provider_batchad.local.entra.delegation import Delegation
from airflow_provider_batchad.local.entra.errors import SignInRefused

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.directory import Person
    from airflow_provider_batchad.local.entra.scopes import DelegatedScopes

# "OAuth 2.0 device authorization grant": 15 minutes.
LIFETIME_SECONDS: Final = 900
_USER_CODE_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class DeviceState(StrEnum):
    """How far a device's request is."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits for somebody to approve.

    :param user_code: what the person types; it is no secret.
    :param device_code: what the device asks with.
    :param tenant_id: ``None`` where anybody of any tenant may approve.
    """

    user_code: str
    device_code: str
    client_id: str
    tenant_id: str | None
    scopes: DelegatedScopes
    expires: float
    state: DeviceState = DeviceState.PENDING
    delegation: Delegation | None = None
    asked: float | None = None


class DeviceCodes:
    """The requests of devices.

    :param interval_seconds: how long a device is told to wait between two questions.
    :param on_secret: told a device code before anybody is given it.
    """

    def __init__(self, *, clock: Clock, interval_seconds: int, on_secret: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_secret = on_secret
        self.interval_seconds = interval_seconds
        self._requests: dict[str, DeviceRequest] = {}
        self._lock = threading.Lock()

    def begin(self, *, client_id: str, tenant_id: str | None, scopes: DelegatedScopes) -> DeviceRequest:
        """A device asks to be let in."""
        request = DeviceRequest(
            user_code="".join(secrets.choice(_USER_CODE_ALPHABET) for _ in range(9)),
            device_code=f"1.{secrets.token_urlsafe(64)}",
            client_id=client_id,
            tenant_id=tenant_id,
            scopes=scopes,
            expires=self._clock.time() + LIFETIME_SECONDS,
        )
        self._on_secret(request.device_code)
        with self._lock:
            self._requests[request.device_code] = request
        return request

    def pending(self) -> tuple[DeviceRequest, ...]:
        """Those that nobody has approved or declined, and that are not too old."""
        now = self._clock.time()
        with self._lock:
            requests = tuple(self._requests.values())
        return tuple(one for one in requests if one.state is DeviceState.PENDING and now < one.expires)

    def approve(self, user_code: str, person: Person) -> None:
        """Let the device in as this person.

        :raises KeyError: nothing waits for this code.
        :raises ValueError: the person is of another tenant than the request.
        """
        request = self._find(user_code)
        if request.tenant_id not in (None, person.principal.tenant_id):
            raise ValueError(f"{person.principal.name} is not in the tenant that the device asked for")
        with self._lock:
            request.delegation = Delegation(
                person=person,
                client_id=request.client_id,
                scopes=request.scopes,
                signed_in=self._clock.time(),
            )
            request.state = DeviceState.APPROVED

    def decline(self, user_code: str) -> None:
        """Refuse the device.

        :raises KeyError: nothing waits for this code.
        """
        self._find(user_code).state = DeviceState.DECLINED

    def redeem(self, device_code: str, *, client_id: str) -> Delegation:
        """What somebody approved; the code is good no more.

        :raises SignInRefused: nobody has yet, or nobody will.
        """
        now = self._clock.time()
        with self._lock:
            request = self._requests.get(device_code)
            if request is None or request.client_id != client_id:
                raise SignInRefused(refused.DEVICE_CODE_UNKNOWN)
            if now >= request.expires:
                raise SignInRefused(refused.DEVICE_CODE_EXPIRED)
            if request.state is DeviceState.DECLINED:
                raise SignInRefused(refused.DEVICE_DECLINED)
            if request.state is DeviceState.APPROVED and request.delegation is not None:
                del self._requests[device_code]
                return request.delegation
            asked, request.asked = request.asked, now
        # Twice the speed that was asked for is certainly too fast; a little less than the interval is jitter.
        if asked is not None and now - asked < self.interval_seconds / 2:
            raise SignInRefused(refused.DEVICE_TOO_FAST)
        raise SignInRefused(refused.AUTHORIZATION_PENDING)

    def _find(self, user_code: str) -> DeviceRequest:
        wanted = user_code.strip().upper()
        for request in self.pending():
            if request.user_code == wanted:
                return request
        raise KeyError(f"no device waits for the code {user_code!r}")
