# Everything happens in .venv; the only things needed beforehand are make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo install dev test test-all soak lint docs sandbox-image clean

demo: install  ## a discovery campaign on the training games, about three minutes on two cores
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

test: dev  ## the quick tests, within six minutes on two cores; no Docker, PostgreSQL or browser is needed
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not slow and not docker and not server and not browser"

test-all: dev  ## all tests: kills, whole campaigns, Docker, PostgreSQL, a browser; what is missing is skipped, and said
	$(BIN)/python -m pytest -n auto --dist loadgroup

# What takes longer than a test may; SHARE=0.1 runs a tenth of it.
SHARE ?= 1
soak: dev  ## ten thousand sandbox sessions, ten thousand candidates of the engine, long fuzzing
	$(BIN)/python -m benchmarks sandbox --soak $$($(PYTHON) -c 'print(int(10000 * $(SHARE)))')
	$(BIN)/python -m benchmarks engine --candidates $$($(PYTHON) -c 'print(int(10000 * $(SHARE)))')
	EVOLVE_FUZZ=$$($(PYTHON) -c 'print(int(3000 * $(SHARE)))') $(BIN)/python -m pytest -q -m fuzz

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
