"""Key Vault and Resource Manager of local Azure show nothing that Microsoft's models do not know."""

from __future__ import annotations

import datetime as dt
import enum
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from azure.keyvault.secrets._generated.models import _enums as vault_enums
from azure.keyvault.secrets._generated.models import _models as vault
from azure.mgmt.authorization.v2022_04_01 import models as authorization
from azure.mgmt.authorization.v2022_05_01_preview import models as newer_authorization
from azure.mgmt.batch.models import _enums as batch_enums
from azure.mgmt.batch.models import _models as batch

from airflow_provider_batchad.local.config import VAULT_RESOURCE, AssignmentConfig
from tests.contract.management_fixtures import Manager, managing

NAMES = {
    module.__name__: {
        **vars(module),
        "_models": types.SimpleNamespace(**{**vars(enums), **vars(module)}),
        "datetime": dt,
    }
    for module, enums in ((vault, vault_enums), (batch, batch_enums))
}
ROLES = (
    AssignmentConfig(principal="airflow-batch", role="Owner", resource="subscription"),
    AssignmentConfig(principal="airflow-batch", role="Key Vault Secrets Officer", resource="keyvault"),
)


def check(shown: object, model: Any) -> None:
    """Every member is one of the model's, and every enumeration holds one of its values."""
    assert isinstance(shown, dict)
    if hasattr(model, "_attribute_map"):
        check_mapped(shown, model, "")
        return
    hints = typing.get_type_hints(model, localns=NAMES[model.__module__])
    by_rest: dict[str, Any] = {}
    for name, hint in hints.items():
        field: Any = next((vars(one)[name] for one in model.__mro__ if name in vars(one)), None)
        if hasattr(field, "_rest_name_input"):
            by_rest[field._rest_name_input or name] = hint
    assert set(shown) <= set(by_rest), model.__name__
    for name, value in shown.items():
        check_value(value, by_rest[name])


def check_value(value: object, hint: Any) -> None:
    kinds = [one for one in typing.get_args(hint) if one is not type(None)]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        enums = [one for one in kinds if isinstance(one, type) and issubclass(one, enum.Enum)]
        if enums:
            assert str(value).lower() in {str(member.value).lower() for member in enums[0]}
        elif value is not None:
            check_value(value, kinds[0])
    elif isinstance(value, list):
        for item in value:
            check_value(item, kinds[0])
    elif getattr(hint, "_is_model", False):
        check(value, hint)


def check_mapped(shown: dict[str, Any], model: Any, prefix: str) -> None:
    """A model of an older generator, which tells of nested members with dots."""
    kinds = {one["key"]: one["type"] for one in model._attribute_map.values()}
    for name, value in shown.items():
        key = f"{prefix}{name}"
        if key not in kinds:
            assert any(known.startswith(f"{key}.") for known in kinds), (model.__name__, key)
            check_mapped(value, model, f"{key}.")
        elif isinstance(inner := getattr(authorization, kinds[key].strip("[]"), None), type):
            for item in value if isinstance(value, list) else [value]:
                check(item, inner)


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with managing(assignments=ROLES) as found:
        yield found


def test_secrets_in_each_shape(manager: Manager) -> None:
    def ask(method: str, path: str, body: object = None) -> dict[str, Any]:
        url = f"{manager.azure.endpoints.keyvault}{path}?api-version=7.4"
        answer = manager.session.request(
            method, url, json=body, headers=manager.token(VAULT_RESOURCE), timeout=30
        )
        assert answer.ok, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    attributes = {"enabled": True, "nbf": 1_600_000_000, "exp": 4_000_000_000}
    body = {"value": "v", "contentType": "text/plain", "tags": {"a": "b"}, "attributes": attributes}
    check(ask("PUT", "/secrets/shown", body), vault.SecretBundle)
    check(ask("PATCH", "/secrets/shown", {"tags": {"c": "d"}}), vault.SecretBundle)
    shown = ask("GET", "/secrets/shown")
    check(shown, vault.SecretBundle)
    check(ask("GET", f"/secrets/shown/{shown['id'].rsplit('/', 1)[1]}"), vault.SecretBundle)
    manager.azure.vault.add_certificate("certificate")
    check(ask("GET", "/secrets/certificate"), vault.SecretBundle)
    for path in ("/secrets", "/secrets/shown/versions"):
        listed = ask("GET", path)
        assert set(listed) == {"value", "nextLink"}
        for item in listed["value"]:
            check(item, vault.SecretItem)
    check(ask("DELETE", "/secrets/shown"), vault.DeletedSecretBundle)
    check(ask("GET", "/deletedsecrets/shown"), vault.DeletedSecretBundle)
    for item in ask("GET", "/deletedsecrets")["value"]:
        check(item, vault.DeletedSecretItem)
    check(ask("POST", "/deletedsecrets/shown/recover"), vault.SecretBundle)


def test_the_batch_account(manager: Manager) -> None:
    scope = manager.config.account_scope
    version = "?api-version=2024-07-01"
    check(manager.send("GET", scope + version).json(), batch.BatchAccount)
    for path in (scope.split("/resourceGroups/")[0], scope.split("/providers/")[0]):
        listed = manager.send("GET", f"{path}/providers/Microsoft.Batch/batchAccounts{version}").json()
        assert listed["value"]
        for item in listed["value"]:
            check(item, batch.BatchAccount)
    check(manager.send("POST", f"{scope}/listKeys{version}").json(), batch.BatchAccountKeys)


def test_roles_assignments_and_permissions(manager: Manager) -> None:
    base = f"{manager.config.account_scope}/providers/Microsoft.Authorization"
    for collection, model in (
        ("roleDefinitions", authorization.RoleDefinition),
        ("roleAssignments", authorization.RoleAssignment),
    ):
        listed = manager.send("GET", f"{base}/{collection}?api-version=2022-04-01").json()["value"]
        assert listed
        for item in listed:
            check(item, model)
        one = f"{base}/{collection}/{listed[0]['name']}"
        if collection == "roleAssignments":
            one = listed[0]["id"]
        check(manager.send("GET", f"{one}?api-version=2022-04-01").json(), model)
    permissions = manager.send("GET", f"{base}/permissions?api-version=2022-04-01").json()["value"]
    assert permissions
    for item in permissions:
        # Recorded with the conditions, which the model of this version has not.
        check(item, newer_authorization.Permission)
