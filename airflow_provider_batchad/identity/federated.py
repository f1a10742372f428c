"""A token of another issuer as an application's proof: workload identity federation.

Source: learn.microsoft.com/entra/workload-id/workload-identity-federation. Whoever gives the token renews it
in its file, so the file is read anew for each token that is asked for.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

TOKEN_FILE_VARIABLE: Final = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - the name of a variable

# A service account's token has some 1,200 bytes; Entra ID takes no request that is much longer.
_LARGEST_BYTES: Final = 32 * 1024
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class UselessTokenFile(ValueError):
    """The file cannot be read, or holds no token; the text never repeats what it holds."""


def read_token_file(path: str | os.PathLike[str], *, within: Path | None = None) -> str:
    """The token that the file holds now.

    :param within: the file must lie below this directory when all links are followed, as those of
        Kubernetes, whose files are links within their own directory.
    :raises UselessTokenFile: there is no such file, or it holds no token.
    """
    real = _resolve(Path(path), within)
    text = _read(real).strip()
    if not _TOKEN.fullmatch(text):
        raise UselessTokenFile("does not hold a token (three parts in base64url, with dots between)")
    return text


def _resolve(path: Path, within: Path | None) -> Path:
    try:
        real = path.resolve(strict=True)
        if within is not None and not real.is_relative_to(within.resolve(strict=True)):
            raise UselessTokenFile("leads out of the directory that the Airflow configuration names")
    except FileNotFoundError:
        raise UselessTokenFile("is not there") from None
    except (OSError, RuntimeError) as error:
        raise UselessTokenFile(f"cannot be read ({type(error).__name__})") from None
    return real


def _read(path: Path) -> str:
    try:
        # No waiting at a pipe's end, and no link that was put there since the path was resolved.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UselessTokenFile("is not a file")
            data = os.read(handle, _LARGEST_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise UselessTokenFile(f"cannot be read ({type(error).__name__})") from None
    if len(data) > _LARGEST_BYTES:
        raise UselessTokenFile(f"is larger than a token can be ({_LARGEST_BYTES // 1024} KiB)")
    return data.decode("ascii", errors="replace")
