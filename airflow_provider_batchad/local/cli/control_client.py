"""A client of the control port, for the command line: where a running local Azure is, and how to ask it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from airflow_provider_batchad.local.config import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from argparse import Namespace

CONTROL_VARIABLE: Final = "BATCHAD_LOCAL_CONTROL"
CA_FILE_VARIABLE: Final = "BATCHAD_LOCAL_CA_FILE"
_ADDRESS_FILE: Final = "control.json"
_TIMEOUT_SECONDS: Final = 60.0


class ControlFailed(Exception):
    """The control port was not found, does not answer, or refuses; the text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a control port is.

    :param ca_file: the certificate authority that its certificate must be of.
    :param source: what named it, for messages.
    """

    control: str
    ca_file: Path
    source: str


def address_file(state_dir: Path) -> Path:
    """Where a local Azure with this state directory says where it is, while it runs."""
    return state_dir / _ADDRESS_FILE


def describe_address(control: str, ca_file: Path) -> str:
    """The contents of that file."""
    return json.dumps({"control": control, "ca_file": str(ca_file)})


def find_address(args: Namespace, environment: Mapping[str, str]) -> Address:
    """The local Azure that is meant: by ``--control``, else ``--state-dir``, else the exported variables.

    :raises ControlFailed: nothing names one.
    """
    control: str | None = getattr(args, "control", None)
    ca_file: Path | None = getattr(args, "ca_file", None)
    if control is None and args.state_dir is not None:
        return _read_address(args.state_dir)
    source = "--control" if control is not None else CONTROL_VARIABLE
    control = control or environment.get(CONTROL_VARIABLE)
    if not control:
        raise ControlFailed(
            "which local Azure? Run this where its export lines are set (batchad local --env-file FILE, then "
            f". FILE), or give --state-dir, or --control and --ca-file; {CONTROL_VARIABLE} is not set"
        )
    if ca_file is None:
        exported = environment.get(CA_FILE_VARIABLE)
        if not exported:
            raise ControlFailed(
                f"give --ca-file, the certificate authority of {control}, or {CA_FILE_VARIABLE}"
            )
        ca_file = Path(exported)
    return Address(_check_url(control, source), ca_file, source)


def _read_address(state_dir: Path) -> Address:
    path = address_file(state_dir)
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        raise ControlFailed(
            f"no local Azure runs with --state-dir {state_dir}: it has no {path.name}"
        ) from None
    except (OSError, ValueError) as error:
        raise ControlFailed(f"{path} cannot be read: {error}") from None
    named = [stored.get(name) for name in ("control", "ca_file")] if isinstance(stored, dict) else []
    match named:
        case [str(control), str(ca_file)]:
            return Address(_check_url(control, str(path)), Path(ca_file), str(path))
    raise ControlFailed(f"{path} does not say where a local Azure is: end that one, and start it again")


def _check_url(control: str, source: str) -> str:
    try:
        parts = urlsplit(control)
        is_right = parts.scheme == "https" and parts.port is not None and not parts.path.strip("/")
    except ValueError:
        is_right = False
    if not is_right or parts.hostname not in LOOPBACK_HOSTS:
        raise ControlFailed(
            f"{source} {control!r} is no URL of a local Azure, such as https://localhost:10448"
        )
    return control.rstrip("/")


class ControlClient:
    """Asks a control port over TLS, trusting local Azure's own certificate authority and no other.

    No proxy and no bundle of the environment has a say.
    """

    def __init__(self, address: Address) -> None:
        import requests

        if not address.ca_file.is_file():
            raise ControlFailed(
                f"there is no file {address.ca_file}, the certificate authority of {address.control}: has "
                "that local Azure ended?"
            )
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = os.fspath(address.ca_file)

    @classmethod
    def open(cls, args: Namespace) -> Self:
        """A client of the local Azure that the arguments or the environment name.

        :raises ControlFailed: they name none.
        """
        return cls(find_address(args, os.environ))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        has: str | None = None,
    ) -> dict[str, Any]:
        """The answer's JSON; empty where there is none.

        :param has: what a good answer holds.
        :raises ControlFailed: it was not reached, or refused, or answered something else.
        """
        import requests

        url = self._address.control + path
        try:
            answer = self._session.request(method, url, params=params, json=body, timeout=_TIMEOUT_SECONDS)
        except requests.exceptions.SSLError:
            raise ControlFailed(
                f"what answers at {self._address.control} has no certificate of {self._address.ca_file}: are "
                "these the settings of another local Azure?"
            ) from None
        except requests.RequestException as error:
            raise ControlFailed(
                f"no local Azure answers at {self._address.control}, which {self._address.source} names "
                f"({type(error).__name__}): start one with `batchad local`"
            ) from None
        try:
            content = answer.json() if answer.content else {}
        except ValueError:
            content = None
        if not isinstance(content, dict) or (answer.ok and has is not None and has not in content):
            raise ControlFailed(
                f"what answers at {self._address.control} is no local Azure, or a fault breaks its answers"
            )
        if not answer.ok:
            raise ControlFailed(str(content.get("error", f"the control port answered {answer.status_code}")))
        return content
