# Everything happens in .venv; the only things needed beforehand are make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo install dev test test-all soak lint docs sandbox-image clean

DEMO ?= --candidates 72
demo: install  ## a discovery campaign and its comparison with every seed, about five minutes on two cores
	$(BIN)/evolve run $(DEMO)

install: $(VENV)/installed  ## evolve and what it needs to run

dev: $(VENV)/dev  ## what tests and checks need besides

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed; $(PYTHON) is {sys.version.split()[0]}. Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup

test: dev  ## the quick tests, without Docker, PostgreSQL and a browser: within six minutes on two cores
	$(PYTEST) -m "not (slow or docker or server or browser or soak)"

test-all: dev  ## every test but the soak; what needs a server or a browser is skipped where there is none
	$(PYTEST) -m "not soak"

SHARE ?= 1
soak: dev  ## hours of much of the same; SHARE=0.1 does a tenth of it
	EVOLVE_SOAK_SHARE=$(SHARE) $(PYTEST) -m soak

lint: dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/docs  ## the pages and the API reference as a site in site/ that fetches nothing; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	! grep -rlE '<(script|link|img)[^>]* (src|href)="?https?:' site --include='*.html'

$(VENV)/docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

sandbox-image: dev  ## the image of the Docker sandbox; OFFLINE=1 makes it of this interpreter, without a network
ifdef OFFLINE
	$(BIN)/python -m sandbox.image --offline
else
	docker build --tag "$$($(BIN)/python -m sandbox.image)" sandbox
endif

clean:
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
