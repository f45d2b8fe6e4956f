# Two commands are all that a fresh machine needs: `make demo` and `make test`. Each sets up its own venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The venv's own pip. .ci/locks puts other ones in its place, the oldest and the newest.
PIP ?= $(BIN)/python -m pip
STAMP := $(VENV)/.installed
# More than the two cores of a small machine: much of the time a test waits, for a lease to lapse or for the next poll. Quick ones do not wait.
JOBS ?= 4
FAST_JOBS ?= 2
# What runs alone is found without importing all other tests once more.
ALONE = $(shell grep -rlw --include='test_*.py' 'pytest\.mark\.alone' tests)
# What is imported before tests/conftest.py is read, all of hypothesis, is compiled once too.
unexport PYTHONDONTWRITEBYTECODE
# Whoever has no tests left takes half of another one's, so that no long file is waited for at the end.
PYTEST := $(BIN)/pytest --dist worksteal -m 'not alone'

.PHONY: demo test test-fast check bench bench-detection lock release clean format schemas help
help:
	@echo "make demo   see it work: a local Routee, live incidents, alerts on this terminal (no credentials)"
	@echo "make test   every check: lint, types, layers, tests"
	@echo "make test-fast the quick tests only, in about a minute"
	@echo "make schemas renew what editors check rules and configuration with"
	@echo "make bench  measure speed and memory on this machine"
	@echo "make bench-detection  measure what is detected, how soon, and how often in vain (about an hour)"

demo: $(STAMP)
	@$(BIN)/routee-monitor demo $(ARGS)

test: check
	$(PYTEST) -n $(JOBS) $(ARGS)
	$(BIN)/pytest -n 0 -m alone $(ALONE)

# For someone at work: what takes long is left out (tests/slow.txt).
test-fast: $(STAMP)
	$(PYTEST) -n $(FAST_JOBS) --fast -q $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What editors complete and check your files with: made from the models, not committed.
define write_schemas
	@$(BIN)/routee-monitor schema config > monitor.schema.json
	@$(BIN)/routee-monitor schema rules > monitor-rules.schema.json
	@$(BIN)/routee-monitor schema tests > monitor-tests.schema.json
endef

schemas: $(STAMP)
	$(write_schemas)

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

bench-detection: $(STAMP)
	$(BIN)/python -m benchmarks.detection $(ARGS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What is published, in dist/: sdist, wheel, bill of materials, checksums.
release: $(STAMP)
	@.ci/release dist

# Resolve again within the ranges of pyproject.toml; needs uv. ARGS=--upgrade takes the newest releases. The result is committed.
UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(ARGS)
requires = $(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))$(1), sep="\n")'
lock:
	$(UV_COMPILE) --extra charts -o requirements/run.txt pyproject.toml
	$(UV_COMPILE) --extra charts --extra dev -c requirements/run.txt -o requirements/dev.txt pyproject.toml
	$(call requires,["build-system"]["requires"]) | $(UV_COMPILE) -c requirements/dev.txt -o requirements/build.txt -
	$(call requires,["project"]["optional-dependencies"]["apprise"]) | $(UV_COMPILE) -c requirements/dev.txt -o requirements/apprise.txt -
	$(call requires,["project"]["optional-dependencies"]["postgresql"]) | $(UV_COMPILE) -c requirements/dev.txt -o requirements/postgresql.txt -

# Only hashed, locked packages are installed, the build backend among them; the project itself is linked in, not downloaded.
# --no-deps: a lock is whole. Without it pip resolves it again, and refuses it once a newer release of a package is out.
$(STAMP): pyproject.toml hatch_build.py requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "routee-monitor needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(PIP) install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(PIP) --disable-pip-version-check check
	$(write_schemas)
	@touch $@

clean:
	rm -f monitor.schema.json monitor-rules.schema.json monitor-tests.schema.json
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
