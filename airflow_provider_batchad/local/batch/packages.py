"""Application packages: unpacked on a node when it starts, or before the first task that wants one.

A pool's are there for every task of its nodes, a task's for that task; both are found by the environment.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.failures import PreparationFailed

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.config import BatchApplicationConfig

_VARIABLE: Final = "AZ_BATCH_APP_PACKAGE"
# "On Linux, periods, hyphens and number signs are flattened to underscores."
_FLATTENED: Final = str.maketrans(".-#", "___")
# "When creating a pool, the package's application ID must be fully qualified", says the newest version; older
# ones have the bare id there as well, as tasks have.
_QUALIFIED: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Batch/batchAccounts/(?P<account>[^/]+)"
    r"/applications/(?P<application>[^/]+)",
    re.IGNORECASE,
)


class Packages:
    """The packages of the account's applications; where a reference names no version, the last one counts."""

    def __init__(self, account: str, applications: IdIndex[BatchApplicationConfig]) -> None:
        self._account = account
        self._applications = applications
        self._lock = asyncio.Lock()

    def check_of_pool(self, references: Iterable[Mapping[str, Any]]) -> None:
        """Whether a pool may refer to these.

        :raises BatchError: one of them is not there.
        """
        for reference in references:
            if self._find(reference) is None:
                raise BatchError("InvalidApplicationPackageReferences")

    def check(self, references: Iterable[Mapping[str, Any]]) -> None:
        """Whether a task may: where an application has no default version, that shows when the task starts.

        :raises BatchError: an application or version is not there.
        """
        for reference in references:
            if reference.get("version") or self._application(reference["applicationId"]) is None:
                self.check_of_pool((reference,))

    async def deploy(self, references: Iterable[Mapping[str, Any]], node: Node) -> dict[str, str]:
        """Unpack what the node does not have yet.

        :return: the variables that tell where the packages are.
        :raises PreparationFailed: one of them cannot be unpacked.
        """
        environment = {}
        for reference in references:
            found = self._find(reference)
            application, version = self._name(reference["applicationId"]), reference.get("version")
            if found is None:
                raise _failed(application, "There is no such application package")
            directory = node.root / "applications" / found[0]
            async with self._lock:
                if not directory.is_dir():
                    await asyncio.to_thread(_unpack, application, found[1], directory)
            parts = (_VARIABLE, application, version) if version else (_VARIABLE, application)
            environment["_".join(parts).translate(_FLATTENED)] = str(directory)
        return environment

    def _application(self, application_id: str) -> BatchApplicationConfig | None:
        return self._applications.get(self._name(application_id))

    def _name(self, application_id: str) -> str:
        match = _QUALIFIED.fullmatch(application_id)
        # Of another account, it is nobody's name here.
        is_own = match is not None and match["account"].lower() == self._account.lower()
        return match["application"] if match is not None and is_own else application_id

    def _find(self, reference: Mapping[str, Any]) -> tuple[str, Path] | None:
        application = self._application(reference["applicationId"])
        if application is None or not application.packages:
            return None
        version = reference.get("version") or tuple(application.packages)[-1]
        path = application.packages.get(version)
        return None if path is None else (f"{application.id}_{version}".translate(_FLATTENED), path)


def _unpack(application: str, package: Path, directory: Path) -> None:
    beside = directory.with_name(f".{directory.name}")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        with zipfile.ZipFile(package) as archive:
            archive.extractall(beside)
        beside.rename(directory)
    except (OSError, zipfile.BadZipFile) as error:
        raise _failed(application, str(error)) from None


def describe_error(references: Iterable[Mapping[str, Any]], failed: PreparationFailed) -> dict[str, Any]:
    """``BatchNodeError`` of a node that could not get its pool's packages; code and texts as documented."""
    named = (f"{one['applicationId']}:{one.get('version') or ''}".rstrip(":") for one in references)
    details = {one["name"]: one["value"] for one in json.loads(failed.failure)["details"]}
    return {
        "code": "ApplicationPackageError",
        "message": "One or more application packages specified for the pool are invalid",
        "errorDetails": [
            {"name": "ApplicationPackageReference", "value": ", ".join(named)},
            {"name": "Message", "value": details["Message"]},
        ],
    }


def _failed(application: str, message: str) -> PreparationFailed:
    return PreparationFailed("ResourceFileCreateFailed", ("ApplicationId", application), ("Message", message))
