"""Name the first released schema, which databases of today may still have. No new one is made with it."""

from __future__ import annotations

revision = "0003"
down_revision = None
