"""Airflow's public REST API, as its web pages use it."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

# Airflow's embedded database answers "locked" (500) now and then while all of its parts write to it. A web
# server that is gone is noticed at once.
_RETRIES = Retry(
    connect=0, read=1, status=5, status_forcelist=(500, 503), backoff_factor=0.3, raise_on_status=False
)
_TIMEOUT_SECONDS = 60


class AirflowApi:
    """A session with Airflow's API server that signs in when it first needs to.

    :param base_url: such as ``http://localhost:8080``.
    """

    def __init__(self, *, base_url: str, username: str, password: str) -> None:
        self.base_url = base_url
        self._login = {"username": username, "password": password}
        self._session = requests.Session()
        # A proxy of the machine's, or credentials in a .netrc, have no business on loopback.
        self._session.trust_env = False
        self._session.mount(base_url, HTTPAdapter(max_retries=_RETRIES))

    def get(self, path: str, **params: object) -> Any:
        """The JSON at ``/api/v2/<path>``."""
        return self.request("GET", f"/api/v2/{path}", params=params).json()

    def post(self, path: str, body: object) -> Any:
        return self.request("POST", f"/api/v2/{path}", json=body).json()

    def patch(self, path: str, body: object) -> Any:
        return self.request("PATCH", f"/api/v2/{path}", json=body).json()

    def delete(self, path: str) -> None:
        self.request("DELETE", f"/api/v2/{path}")

    def request(self, method: str, path: str, **keywords: Any) -> requests.Response:
        """Any path of the API server, ``/ui/…`` too.

        :raises requests.HTTPError: with the server's own words, for a status of 400 and above.
        """
        if "Authorization" not in self._session.headers:
            answer = self._session.post(
                f"{self.base_url}/auth/token", json=self._login, timeout=_TIMEOUT_SECONDS
            )
            answer.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        response = self._session.request(method, self.base_url + path, timeout=_TIMEOUT_SECONDS, **keywords)
        if not response.ok:
            raise requests.HTTPError(
                f"{method} {path}: {response.status_code} {response.text[:500]}", response=response
            )
        return response

    def health(self) -> dict[str, str]:
        """The state of each component (``healthy``, ``unhealthy``); empty while nothing answers."""
        try:
            response = self._session.get(f"{self.base_url}/api/v2/monitor/health", timeout=5)
            answer = response.json() if response.ok else {}
        except (requests.ConnectionError, requests.Timeout, requests.JSONDecodeError):
            return {}
        return {name: part.get("status") or "starting" for name, part in answer.items()}
