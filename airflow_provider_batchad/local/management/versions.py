"""The API versions that Resource Manager and the providers behind it take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from airflow_provider_batchad.local.management import errors

_FORM: Final = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")


@dataclass(frozen=True, slots=True)
class Versions:
    """What one provider takes; a version changes nothing in what it answers here.

    :param namespace: empty for what Resource Manager answers by itself.
    """

    namespace: str
    known: tuple[str, ...]

    def check(self, version: str) -> None:
        """Refuse what is no version, or none of these.

        :raises ManagementRefused: the error that names those there are.
        """
        if not version:
            raise errors.missing_api_version()
        if version.casefold() in self.known:
            return
        if not self.namespace or _FORM.fullmatch(version) is None:
            raise errors.invalid_api_version(version, self.known)
        raise errors.invalid_resource_type(self.namespace, version, self.known)


RESOURCES: Final = Versions(
    "",
    (
        "2025-04-01", "2025-03-01", "2024-11-01", "2024-07-01", "2024-03-01", "2023-07-01", "2022-12-01",
        "2022-09-01", "2021-04-01", "2021-01-01", "2020-10-01", "2020-06-01", "2020-01-01", "2019-11-01",
        "2019-10-01", "2019-06-01", "2018-05-01", "2018-02-01", "2016-06-01",
    ),
)  # fmt: skip
BATCH: Final = Versions(
    "Microsoft.Batch",
    (
        "2025-06-01", "2024-07-01", "2024-02-01", "2023-11-01", "2023-05-01", "2022-10-01", "2022-06-01",
        "2022-01-01", "2021-06-01", "2021-01-01", "2020-09-01", "2020-05-01", "2020-03-01", "2019-08-01",
        "2019-04-01", "2018-12-01", "2017-09-01", "2017-05-01", "2017-01-01", "2015-12-01",
    ),
)  # fmt: skip
AUTHORIZATION: Final = Versions(
    "Microsoft.Authorization",
    (
        "2022-05-01-preview", "2022-04-01", "2020-10-01-preview", "2020-08-01-preview", "2020-04-01-preview",
        "2020-03-01-preview", "2018-09-01-preview", "2018-07-01", "2018-07-01-preview", "2018-01-01-preview",
        "2015-07-01",
    ),
)  # fmt: skip
