"""The commands that the documents tell people to run are commands of the Azure CLI, and do what they say."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from collections import defaultdict
from pathlib import Path

import pytest

from tests.azure_cli.conftest import AZ, AzureCli

pytestmark = pytest.mark.azure_cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "identity.md")


def commands_of(text: str) -> dict[str, set[str]]:
    """The options of each command in a document, by the command's words."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
    waiting = [block.replace("\\\n", " ") for block in blocks] + re.findall(r"`(az [^`]+)`", text)
    while waiting:
        piece = waiting.pop()
        inner = re.search(r"\$\(([^()]*)\)", piece)
        if inner is not None:
            waiting += [inner[1], piece[: inner.start()] + "X" + piece[inner.end() :]]
            continue
        for line in re.split(r"\n|\||&&", piece):
            match = re.match(r"\s*(?:\w+=)?az ((?:[a-z][a-z-]* ?)+)(.*)", line)
            if match is not None:
                found[match[1].strip()] |= set(re.findall(r"(?<!\S)(--[a-z][a-z-]*)", match[2]))
    return found


COMMANDS = sorted(
    {
        (command, option)
        for document in DOCUMENTS
        for command, options in commands_of(document.read_text()).items()
        for option in options or {"--help"}
    }
)


@pytest.fixture(scope="module")
def help_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the CLI says of each command; asked once."""
    settings = tmp_path_factory.mktemp("help")
    environment = {"AZURE_CONFIG_DIR": str(settings), "AZURE_CORE_COLLECT_TELEMETRY": "false", "PATH": "/bin"}
    texts = {}
    for command in dict.fromkeys(command for command, _ in COMMANDS):
        arguments = [str(AZ), *command.split(), "--help"]
        ended = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
        texts[command] = ended.stdout if ended.returncode == 0 else ""
    return texts


def test_there_are_commands() -> None:
    assert len({command for command, _ in COMMANDS}) >= 15


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("command", "option"), COMMANDS)
def test_the_command_has_the_option(command: str, option: str, help_of: dict[str, str]) -> None:
    assert re.search(rf"(?<!\S){re.escape(option)}(?!\S)", help_of[command]), help_of[command][:500]


# Local Azure has no Microsoft Graph: what makes a secret there prints one here. All arguments are noted.
IN_PLACE_OF_AZ = """
az() {{
    echo "$@" >> {noted}
    case "$1 $MADE" in
        "ad ") return 1 ;;
        ad*) echo "$MADE" ;;
        *) {az} "$@" ;;
    esac
}}
vault=localhost client_id=11111111-1111-4111-8111-111111111111
"""


def lines_that_keep_a_secret() -> list[str]:
    """The documents' commands from where a secret is made to where it is kept."""
    found = [
        textwrap.dedent(lines)
        for document in DOCUMENTS
        for lines in re.findall(
            r"^( *secret=\$\(az .*?^ *unset secret)$", document.read_text(), re.DOTALL | re.MULTILINE
        )
    ]
    assert len(found) == 3
    return sorted(set(found))


@pytest.mark.parametrize("made", ["abc~8Q.-_x", "-begins-with-a-dash", ""])
def test_a_secret_is_kept_as_it_was_made_and_is_nobodys_argument(
    made: str, az: AzureCli, tmp_path: Path
) -> None:
    before = az.azure.vault.find("batch-client-secret")
    [script] = lines_that_keep_a_secret()
    noted = tmp_path / "arguments"
    ended = subprocess.run(
        ["/bin/bash", "-c", IN_PLACE_OF_AZ.format(noted=noted, az=AZ) + script],
        env={**az.environment(), "MADE": made},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    kept = az.azure.vault.find("batch-client-secret")
    if made:
        assert ended.returncode == 0, ended.stderr
        assert kept is not None
        assert kept.value == made
        assert made not in noted.read_text()
    else:
        # Where none was made, the one that is there stays.
        assert kept == before


def test_a_certificate_is_not_renewed_before_it_is_registered(az: AzureCli, tmp_path: Path) -> None:
    commands = [
        command
        for document in DOCUMENTS
        for command in re.findall(r'--policy "\$\((.*)\)"$', document.read_text(), re.MULTILINE)
    ]
    assert len(commands) == 2
    for command in set(commands):
        script = IN_PLACE_OF_AZ.format(noted=tmp_path / "arguments", az=AZ) + command
        printed = subprocess.run(
            ["/bin/bash", "-c", script],
            env={**az.environment(), "MADE": ""},
            capture_output=True,
            check=True,
            timeout=120,
        )
        policy = json.loads(printed.stdout)
        assert [action["action"]["actionType"] for action in policy["lifetimeActions"]] == ["EmailContacts"]
        assert policy["keyProperties"]["exportable"] is True
