"""Application packages: unpacked on a node before the first task that wants one, found by the environment."""

from __future__ import annotations

import asyncio
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


class Packages:
    """The packages of the account's applications; where a reference names no version, the last one counts."""

    def __init__(self, applications: IdIndex[BatchApplicationConfig]) -> None:
        self._applications = applications
        self._lock = asyncio.Lock()

    def check(self, references: Iterable[Mapping[str, Any]]) -> None:
        """Whether all that is referred to is there.

        :raises BatchError: it is not.
        """
        for reference in references:
            if self._find(reference) is None:
                raise BatchError("InvalidApplicationPackageReferences")

    async def deploy(self, references: Iterable[Mapping[str, Any]], node: Node) -> dict[str, str]:
        """Unpack what the node does not have yet.

        :return: the variables that tell where the packages are.
        :raises PreparationFailed: one of them cannot be unpacked.
        """
        environment = {}
        for reference in references:
            found = self._find(reference)
            application, version = reference["applicationId"], reference.get("version")
            if found is None:
                raise _failed(application, "The application package is not there any more")
            directory = node.root / "applications" / found[0]
            async with self._lock:
                if not directory.is_dir():
                    await asyncio.to_thread(_unpack, application, found[1], directory)
            parts = (_VARIABLE, application, version) if version else (_VARIABLE, application)
            environment["_".join(parts).translate(_FLATTENED)] = str(directory)
        return environment

    def _find(self, reference: Mapping[str, Any]) -> tuple[str, Path] | None:
        application = self._applications.get(reference["applicationId"])
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


def _failed(application: str, message: str) -> PreparationFailed:
    return PreparationFailed("ResourceFileCreateFailed", ("ApplicationId", application), ("Message", message))
