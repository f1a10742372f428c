"""What Airflow's metrics are told."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.identity.validity import Validity

_log = logging.getLogger(__name__)

# Other characters are no part of a metric's name, and a dot begins another level.
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def report_days_left(conn_id: str) -> Callable[[Validity, float], None]:
    """Reports how many days a connection's secrets in Key Vault are still good for, negative after their end.

    A gauge ``batchad.credential_days_left.<connection>.<secret>`` for the note in Key Vault, and
    ``batchad.certificate_days_left.<connection>.<secret>`` for a certificate's own end; both with tags, for
    back ends that know them. Set at each reading: once in a process, and again after a rotation.
    """

    def report(validity: Validity, days: float) -> None:
        gauge = "certificate_days_left" if validity.kind == "certificate" else "credential_days_left"
        connection, name = (_NOT_IN_A_NAME.sub("_", part) for part in (conn_id or "none", validity.name))
        tags = {"conn_id": conn_id, "secret": validity.name}
        try:
            from airflow.providers.common.compat.sdk import Stats

            Stats.gauge(f"batchad.{gauge}.{connection}.{name}", round(days, 2), tags=tags)
        except Exception as error:  # noqa: BLE001 - a metric must not cost the sign-in
            _log.warning("Airflow's metrics took no %s: %s", gauge, type(error).__name__)

    return report
