"""Which files of authorities are read: a graph of somebody else's names any path as it likes."""

from __future__ import annotations

from pathlib import Path

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import SettingsError
from ...dt_core.text import Template
from ..host import compat
from . import stored

_NOT_OURS = Template(
    "ca_file_not_allowed",
    "The authority's file '{file}' for {address} is not read, because no stored server names it: "
    "store this server first, or put the file into {folder}.",
)


def checked(profile: ServerProfile) -> ServerProfile:
    """The profile. Raises SettingsError if its file is neither a stored server's nor in our folder.

    That folder is the one beside the users' ones that no route serves or writes files to.
    """
    if not profile.ca_file or _is_stored(profile.ca_file) or _is_in_our_folder(profile.ca_file):
        return profile
    folder = compat.user_folder()
    place = f"{folder.parent.name}/{folder.name}"
    file = Path(profile.ca_file).name
    raise SettingsError(_NOT_OURS(file=file, address=profile.address, folder=place))


def _is_stored(ca_file: str) -> bool:
    return any(row.profile.ca_file == ca_file for row in stored.current().stored)


def _is_in_our_folder(ca_file: str) -> bool:
    try:
        return Path(ca_file).expanduser().resolve().is_relative_to(compat.user_folder().resolve())
    except (OSError, RuntimeError, ValueError):  # "~nobody", NUL, a circle of links
        return False
