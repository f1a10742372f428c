"""People who sign in: what they approve, on a page, from Python or over the control port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchad.local.entra.delegation import AuthorizationCodes, RefreshTokens
from airflow_provider_batchad.local.entra.device_codes import DeviceCodes

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.directory import Directory, Person
    from airflow_provider_batchad.local.secrets_file import SecretsFile


class SignIns:
    """Everything that waits for a person or came from one.

    :ivar at_browser: who sits at the browser: the sign-in page answers for them at once, without a question.
    """

    def __init__(
        self, *, directory: Directory, clock: Clock, secrets_file: SecretsFile, device_interval_seconds: int
    ) -> None:
        self._directory = directory
        self.codes = AuthorizationCodes(clock=clock, on_secret=secrets_file.add)
        self.refresh_tokens = RefreshTokens(clock=clock, on_secret=secrets_file.add)
        self.device_codes = DeviceCodes(
            clock=clock, interval_seconds=device_interval_seconds, on_secret=secrets_file.add
        )
        self.at_browser: Person | None = None

    def sit_down(self, name: str | None) -> None:
        """Let this person (user principal name) sit at the browser; ``None``: nobody.

        :raises KeyError: there is no such person.
        """
        self.at_browser = None if name is None else self.find(name)

    def approve_device(self, user_code: str, name: str) -> None:
        """Approve a device's request as this person.

        :raises KeyError: there is no such person, or no such code.
        :raises ValueError: the device asked for another tenant.
        """
        self.device_codes.approve(user_code, self.find(name))

    def decline_device(self, user_code: str) -> None:
        """Decline a device's request.

        :raises KeyError: there is no such code.
        """
        self.device_codes.decline(user_code)

    def revoke(self, name: str) -> None:
        """End every session of this person: no refresh token from before is good any more.

        :raises KeyError: there is no such person.
        """
        self.refresh_tokens.revoke(self.find(name))

    def find(self, name: str) -> Person:
        """The person with this user principal name.

        :raises KeyError: there is none.
        """
        person = self._directory.person(name)
        if person is None:
            known = ", ".join(one.principal.name for one in self._directory.people())
            raise KeyError(f"no person {name!r}; there are: {known}")
        return person
