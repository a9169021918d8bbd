"""Sandboxes that tests share: starting a runner takes longer than most of what is tested in one."""

from __future__ import annotations

import pytest

from sandbox.process import ProcessSandbox


@pytest.fixture(scope="session")
def runner():
    with ProcessSandbox() as sandbox:
        yield sandbox
