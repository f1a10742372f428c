"""What `docs/identity.md` says is in the code, and what the code may say is on the page."""

from __future__ import annotations

import argparse
import ast
import configparser
import re
import subprocess
from pathlib import Path

import pytest

from airflow_provider_batchad import cli
from airflow_provider_batchad.airflow_options import OPTIONS
from airflow_provider_batchad.clouds import MICROSOFT_CLOUDS, parse_custom_clouds
from airflow_provider_batchad.connection_form import SignIn, VaultSignIn
from airflow_provider_batchad.identity.entra_error_table import MEANINGS
from airflow_provider_batchad.identity.entra_errors import _TRY_AGAIN
from airflow_provider_batchad.identity.vault_errors import _FORBIDDEN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "identity.md").read_text()
SHELL = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE, flags=re.DOTALL | re.MULTILINE)


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table that begins with this heading."""
    [rows] = re.findall(
        rf"^\| {re.escape(heading)} \|.*\n\|[ -|]+\|\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE
    )
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]


def test_every_number_of_entra_id_that_the_code_explains_is_on_the_page_and_no_other() -> None:
    named = {int(number) for row in rows_of("number") for number in re.findall(r"AADSTS(\d+)", row[0])}
    assert named == set(MEANINGS) | set(_TRY_AGAIN)


def test_numbers_that_mean_the_same_stand_in_one_row() -> None:
    for row in rows_of("number"):
        numbers = [int(number) for number in re.findall(r"AADSTS(\d+)", row[0])]
        assert len({MEANINGS.get(number) for number in numbers}) == 1, row[0]


def test_every_code_of_key_vault_that_the_code_explains_is_on_the_page() -> None:
    named = {code for row in rows_of("code") for code in re.findall(r"`(\w+)`", row[0])}
    assert named == {*_FORBIDDEN, "SecretNotFound"}


def test_every_text_that_the_page_explains_is_one_that_the_package_says() -> None:
    said = [
        _constant(node)
        for path in (ROOT / "airflow_provider_batchad").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    ]
    quoted = [re.fullmatch(r"`(.*)`(?: \(in the log\))?", row[0]) for row in rows_of("the error says")]
    assert len(quoted) >= 12
    for match in quoted:
        assert match is not None
        for part in match[1].split("…"):
            words = part.strip("' ").removesuffix("', field")
            assert any(words in text for text in said), words


def _constant(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


def test_every_way_to_sign_in_and_to_reach_the_vault_is_on_the_page() -> None:
    assert {way for row in rows_of("Airflow runs") for way in re.findall(r"`(\w+)`", row[2])} == set(SignIn)
    assert {way for row in rows_of("`vault_sign_in`") for way in re.findall(r"`(\w+)`", row[0])} == set(
        VaultSignIn
    )


def test_every_option_of_airflows_configuration_that_is_about_signing_in_is_on_the_page() -> None:
    elsewhere = {"deployment", "max_job_duration"}
    assert {name for name in OPTIONS if not re.search(rf"\b{name}\b", PAGE)} <= elsewhere


def test_clouds_are_those_of_the_code() -> None:
    rows = {row[0].strip("`"): row[1:] for row in rows_of("cloud")}
    assert rows == {
        name: [
            f"`https://<account>.<region>.{cloud.batch_suffix}`",
            f"`https://<vault>.{cloud.vault_suffix}`",
        ]
        for name, cloud in MICROSOFT_CLOUDS.items()
    }


def test_the_pages_own_cloud_is_one() -> None:
    [text] = re.findall(r"```ini\n(.*?)```", PAGE, flags=re.DOTALL)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert set(parse_custom_clouds(parser["batchad"]["clouds"])) == {"stack"}


@pytest.mark.parametrize("script", SHELL)
def test_shell_commands_are_well_formed(script: str) -> None:
    checked = subprocess.run(["/bin/bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_commands_of_the_package_have_the_options_that_the_page_gives_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[argparse.Namespace] = []
    monkeypatch.setattr(cli, "run_login", ran.append)
    lines = [line.split() for script in SHELL for line in script.splitlines() if line.startswith("batchad ")]
    for line in lines:
        cli.main(line[1:])
    assert [(one.conn_id, one.device_code) for one in ran] == [
        ("batchad_default", False),
        ("batchad_default", True),
    ]


def test_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]+\]\((images/[^)]+)\)", PAGE)
    assert len(pictures) >= 6
    for picture in pictures:
        assert 0 < (ROOT / "docs" / picture).stat().st_size < 200_000
