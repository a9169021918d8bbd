"""Every session compiles its games into a cache of its own."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("cache")
        patch.setenv("EVOLVE_CACHE_DIR", str(path))
        yield path
