"""Reads a role file that somebody names."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_provider_batchad.access.roles import CustomRole
from airflow_provider_batchad.commands.report import give_up
from airflow_provider_batchad.errors import RoleFileError


def read_role_file(file: str, *, verb: str, argument: str) -> CustomRole:
    """The role, in any form that :meth:`CustomRole.parse` takes.

    :param verb: for messages.
    :param argument: the one that names the file.
    """
    try:
        # As bytes: a shell of Windows writes UTF-16, or a byte order mark.
        return CustomRole.parse(json.loads(Path(file).read_bytes()))
    except OSError as error:
        give_up(verb, f"{argument}: {file}: {error.strerror}")
    except RoleFileError as error:
        give_up(verb, f"{argument}: {file}: {error}")
    except (ValueError, RecursionError) as error:
        give_up(verb, f"{argument}: {file}: it is no JSON: {error}")
