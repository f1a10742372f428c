from __future__ import annotations

import json

from tests.contract.sdk_schema import SCHEMA_FILE, read_schema, snake_case


def test_the_committed_schema_is_that_of_the_installed_azure_batch() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == read_schema()


def test_the_committed_file_is_as_it_is_written() -> None:
    assert SCHEMA_FILE.read_text() == json.dumps(read_schema(), indent=1) + "\n"


def test_the_schema_says_what_azure_batchs_models_say() -> None:
    schema = read_schema()
    assert schema["BatchTaskCreateOptions"]["command_line"] == {
        "rest": "commandLine",
        "kind": "string",
        "required": True,
    }
    assert schema["BatchJobCreateOptions"]["pool_info"]["kind"] == "BatchPoolInfo"
    assert schema["BatchTaskCreateOptions"]["resource_files"] == {
        "rest": "resourceFiles",
        "kind": ["ResourceFile"],
    }


def test_names_become_snake_case_by_their_words() -> None:
    assert snake_case("nodeAgentSKUId") == "node_agent_sku_id"
    assert snake_case("skipWithdrawFromVNet") == "skip_withdraw_from_vnet"
    assert snake_case("enableAutomaticOSUpgrade") == "enable_automatic_os_upgrade"
