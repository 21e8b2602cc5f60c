"""Once a day: copy what was recorded, and read the copy back."""

from __future__ import annotations

from mia_kernel.adapters import catalog_query
from mia_kernel.adapters.catalog import Catalog
from mia_kernel.adapters.recorded import backup_sessions
from mia_kernel.core.errors import MiaError
from mia_kernel.settings import Settings


def daily_backup(settings: Settings) -> str:
    """Copy the catalog and the finished sessions to `MIA_HOME/backup`; return what to tell.

    A backup that fails is told, loudly, and ends nothing: the data itself is whole.
    """
    target = settings.home / "backup"
    try:
        sessions = backup_sessions(settings.data_folder, target)
        told = f"backup  {sessions.sessions} sessions, {sessions.bytes / 1e6:.1f} MB, verified"
        catalog = Catalog(settings.data_folder)
        if catalog.stored():
            copy = catalog_query.backup(catalog, target)
            told += f"; catalog {copy.files} files, verified"
    except MiaError as error:
        return f"BACKUP FAILED: {error}"
    return told


def backup_of(settings: Settings, session: str) -> str:
    """Copy one finished session to `MIA_HOME/backup`, where the daily copies are; return what to tell.

    A dry-run ends often and may have had many before it: only its own session is copied and read back.
    """
    try:
        copy = backup_sessions(settings.data_folder, settings.home / "backup", session)
    except MiaError as error:
        return f"BACKUP FAILED: {error}"
    return f"backup  {copy.bytes / 1e6:.1f} MB, verified"
