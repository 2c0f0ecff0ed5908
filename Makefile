# make run and make test each work in a fresh clone; they need Python 3.11 or newer, its venv module and make.
SHELL := /bin/sh
BIN := .venv/bin
# the first interpreter that is new enough; override with make PYTHON=...
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && { echo $$p; break; }; done)
MACHINE ?=
MOST ?=
PORT ?= 8765
# more pytest arguments, such as ARGS="-k machine"
ARGS ?=

.PHONY: install run test lint limits bench history clean

install: .venv/.run

.venv/.run: pyproject.toml
	@test -n "$(PYTHON)" || { echo "pfnstorm needs Python 3.11 to 3.14; none was found (make PYTHON=/path/to/python3)" >&2; exit 4; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/.dev: .venv/.run
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

run: .venv/.run
	$(BIN)/pfnstorm run --seconds 15

test: lint
	$(BIN)/pfnstorm build --all
	$(BIN)/pytest -n 2 -m "not serial and not nightly" $(ARGS)
	$(BIN)/pytest -n 0 -m serial $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the hot paths beside their twins in C, stress/measure/limits.c
limits: .venv/.run
	$(BIN)/python -m stress.measure.against_c

# measures the commits that are new, repeats what seems to have changed, and says what has; MACHINE is a name that stays, MOST=3 the newest
# three only
bench: .venv/.dev
	$(BIN)/pfnstorm history --measure $(if $(MACHINE),--machine $(MACHINE)) $(if $(MOST),--most $(MOST))

# asv's figures as pages that need no network, served to this host until it is interrupted, in a browser if there is one
history: .venv/.dev
	$(BIN)/asv publish
	$(BIN)/python -m stress.history.pages results/html
	$(BIN)/asv-tachyon serve results/html --port $(PORT) --open

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .asv
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
