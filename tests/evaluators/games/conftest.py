"""Every session compiles into a cache of its own: no entry of an earlier build is tested by mistake."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("cache")
        patch.setenv("EVOLVE_CACHE_DIR", str(path))
        yield path
