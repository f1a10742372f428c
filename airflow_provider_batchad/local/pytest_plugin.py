"""Fixtures for tests against local Azure, for this project's tests and for its users'.

Not registered as a pytest plugin by itself: it would load in every test run of every environment that has
this package. To have the fixtures, write in the ``conftest.py`` of your tests' root::

    pytest_plugins = ["airflow_provider_batchad.local.pytest_plugin"]

Then a test that names ``local_azure`` gets one of its own, and gives another configuration by overriding
``local_azure_config``; with ``local_azure_environment``, Airflow's hooks find it too. It needs the extra
``local``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import LocalAzureConfig
    from airflow_provider_batchad.local.server import LocalAzure


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    """What ``local_azure`` holds at first: the default tenant, on ports that the system chooses."""
    from airflow_provider_batchad.local.config import LocalAzureConfig

    return LocalAzureConfig(port=0)


@pytest.fixture
def local_azure(local_azure_config: LocalAzureConfig) -> Iterator[LocalAzure]:
    """A running local Azure that nothing else uses; it ends with the test."""
    from airflow_provider_batchad.local.server import LocalAzure

    with LocalAzure(local_azure_config) as azure:
        yield azure


@pytest.fixture
def local_azure_environment(local_azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> LocalAzure:
    """The same, with this process's environment as ``batchad local`` would print it.

    Airflow then has the connection ``batchad_default``, and the process the machine's managed identity.
    """
    from airflow_provider_batchad.local.client_settings import client_environment

    for name, value in client_environment(local_azure).items():
        monkeypatch.setenv(name, value)
    return local_azure
