"""The commands that the documents tell people to run are commands of the Azure CLI, options included."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.azure_cli.conftest import AZ

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
        for line in piece.splitlines():
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
    settings = tmp_path_factory.mktemp("az")
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
