"""The state directory of ``batchad local`` as a process: killed, damaged, used twice."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_batchad.local.config import BATCH_RESOURCE
from tests.contract.batch_fixtures import API_VERSION, eventually
from tests.contract.command_process import Running, refused, running

STATE = "state.jsonl"


class Client:
    """A bare client of the account, which signs in as the application."""

    def __init__(self, local: Running) -> None:
        clouds = json.loads(local.settings["AIRFLOW__BATCHAD__CLOUDS"])["local"]
        self.url = f"https://{clouds['batch_suffix']}"
        self.authority = clouds["authority"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = local.settings["BATCHAD_LOCAL_CA_FILE"]

    def sign_in(self, directory: Path) -> None:
        application = next(iter(services(directory)["directory"]["applications"].values()))
        answer = self.session.post(
            f"{self.authority}/{application['principal']['tenant_id']}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": application["principal"]["app_id"],
                "client_secret": application["secrets"][0]["value"],
                "scope": f"{BATCH_RESOURCE}/.default",
            },
        )
        assert answer.status_code == 200, answer.text
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def send(self, method: str, path: str, body: object = None) -> requests.Response:
        separator = "&" if "?" in path else "?"
        url = f"{self.url}{path}{separator}api-version={API_VERSION}"
        return self.session.request(method, url, json=body, timeout=30)

    def states(self, job_id: str) -> dict[str, str]:
        listed = self.send("GET", f"/jobs/{job_id}/tasks").json()["value"]
        return {task["id"]: task["state"] for task in listed}


def services(directory: Path) -> dict[str, Any]:
    lines = (directory / STATE).read_text().splitlines()
    found: dict[str, Any] = json.loads(lines[1])["services"]
    return found


def is_saved(directory: Path, states: dict[str, str]) -> bool:
    """Whether the file has the tasks in these states."""
    rows = [
        members
        for line in (directory / STATE).read_text().splitlines()
        if line.startswith("[")
        for members, _ in json.loads(line)
    ]
    return all(any(name in row and state in row for row in rows) for name, state in states.items())


def test_killed_while_tasks_run_it_loses_nothing_that_was_there_a_moment_before(tmp_path: Path) -> None:
    state = tmp_path / "state"
    options = ("--state-dir", str(state), "--role", "Azure Batch Data Contributor")
    with running(*options) as local:
        eventually((state / STATE).exists)
        client = Client(local)
        client.sign_in(state)
        client.send("POST", "/jobs", {"id": "night", "poolInfo": {"poolId": "cpu"}})
        tasks = [
            {"id": f"short{n}", "commandLine": shlex.join(["/bin/sh", "-c", f"echo {n}"])} for n in range(4)
        ] + [{"id": f"long{n}", "commandLine": "/bin/sleep 1000"} for n in range(20)]
        assert client.send("POST", "/jobs/night/addtaskcollection", {"value": tasks}).status_code == 200
        eventually(
            lambda: {one for name, one in client.states("night").items() if "short" in name} == {"completed"}
        )
        eventually(lambda: list(client.states("night").values()).count("running") == 8)
        before = client.states("night")
        eventually(lambda: is_saved(state, before), seconds=60)
        token = client.session.headers["Authorization"]
        local.process.send_signal(signal.SIGKILL)
        local.process.wait()
    with running(*options) as local:
        client = Client(local)
        client.session.headers["Authorization"] = token
        after = client.states("night")
        assert {name for name, one in after.items() if one == "completed"} == {f"short{n}" for n in range(4)}
        assert before.keys() == after.keys()
        eventually(lambda: list(client.states("night").values()).count("running") == 8)
        ran = [name for name, one in before.items() if one == "running"]
        for name in ran:
            shown = client.send("GET", f"/jobs/night/tasks/{name}").json()
            assert shown["executionInfo"]["requeueCount"] == 1
        assert client.send("GET", "/jobs/night/tasks/short2/files/stdout.txt").text == "2\n"
        for name in after:
            client.send("POST", f"/jobs/night/tasks/{name}/terminate")
        assert local.end() == 0


def test_second_process_on_the_same_directory_is_refused_in_a_sentence(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    with running("--state-dir", state) as local:
        said = refused("--port", "0", "--state-dir", state)
        assert said.startswith(f"batchad local: another local Azure uses {state}: end it, or choose another")
        assert local.control("/health").status_code == 200
        assert local.end() == 0


@pytest.mark.parametrize("how", ["damaged", "truncated", "other version", "no state at all"])
def test_state_that_cannot_be_read_is_refused_and_left_alone(tmp_path: Path, how: str) -> None:
    state = tmp_path / "state"
    with running("--state-dir", str(state)) as local:
        assert local.end() == 0
    path = state / STATE
    content = path.read_bytes()
    changed = {
        "damaged": content.replace(b'"applications"', b'"applicationS"', 1),
        "truncated": content[: len(content) // 2],
        "other version": content.replace(b'"version": 1', b'"version": 2', 1),
        "no state at all": b"something else\n",
    }[how]
    assert changed != content
    path.write_bytes(changed)
    said = refused("--port", "0", "--state-dir", str(state))
    assert str(path) in said
    assert "or move the file away to begin anew" in said
    assert path.read_bytes() == changed
    path.unlink()
    with running("--state-dir", str(state)) as local:
        assert local.end() == 0


def test_port_of_before_that_is_taken_meanwhile_is_named(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running("--state-dir", str(state)) as local:
        assert local.end() == 0
    ports = json.loads((state / STATE).read_text().splitlines()[1])["ports"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", ports["batch"]))
            other.listen()
        except OSError:
            # Another process has it: that is just as well.
            pass
        said = refused("--port", "0", "--state-dir", str(state))
    assert f"{ports['batch']} of localhost (for batch) is already in use" in said


def test_directory_that_is_a_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert os.fspath(path) in refused("--port", "0", "--state-dir", str(path))
