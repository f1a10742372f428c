"""What a task's process does for its token, without Airflow: started many times by the tests of the cache."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from airflow_provider_batchad.clouds import parse_custom_clouds
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.identity.cache import CachedTokenRequest
from airflow_provider_batchad.identity.tokens import TokenCallback


class FernetCipher:
    """What the hooks make of Airflow's key."""

    def __init__(self, key: str) -> None:
        from cryptography.fernet import Fernet

        self._fernet = Fernet(key)
        self.key_id = hashlib.sha256(key.encode()).hexdigest()

    def encrypt(self, content: bytes, /) -> bytes:
        return self._fernet.encrypt(content)

    def decrypt(self, content: bytes, /) -> bytes:
        return self._fernet.decrypt(content)


def make_callback(task: dict[str, Any], seen: list[str]) -> TokenCallback:
    from pathlib import Path

    given = task["connection"]
    connection = BatchConnection.parse(
        conn_id=task.get("conn_id", "batchad_default"),
        host=given["host"],
        login=given["login"],
        password=given.get("password"),
        extra=given["extra"],
        clouds=parse_custom_clouds(json.dumps(task["clouds"])),
    )
    CachedTokenRequest.patience_seconds = task.get("patience_seconds", 60.0)
    return TokenCallback.for_connection(
        connection,
        on_secret=seen.append,
        retries=0,
        cipher=FernetCipher(task["fernet_key"]) if task["fernet_key"] else None,
        cache_dir=Path(task["directory"]),
    )


def main() -> None:
    task = json.loads(sys.argv[1])
    seen: list[str] = []
    callback = make_callback(task, seen)
    token = callback()
    if task.get("refused"):
        token = callback(rejected=token.token)
    answer = {
        # What it is called here: a test compares tokens, and none is printed.
        "token": hashlib.sha256(token.token.encode()).hexdigest(),
        "registered": token.token in seen,
        "client_id": callback.principal.client_id,
        "modules": sorted({name.partition(".")[0] for name in sys.modules}),
        "azure": sorted(name for name in sys.modules if name.startswith("azure.")),
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
