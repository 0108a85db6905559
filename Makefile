# Needs Python 3.11 or newer with venv, and GNU make; everything else goes into .venv.
# The locks are installed with their hashes, and only when they have changed.

PORT ?= 8000
JOBS ?= 2
# With DOUBLES=1 the site runs connected to doubles of other systems, which answer here.
DOUBLES ?=
DOUBLES_PORT ?= 8300
# Further arguments for pytest, such as ARGS="tests/site -k start".
ARGS ?=

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev

# An environment whose Python is gone is made anew.
ifneq ($(shell $(BIN)/python -c 'print(1)' 2>/dev/null),1)
$(shell rm -f $(BIN)/python $(INSTALLED) $(INSTALLED_DEV))
endif

# What a deployment would have; the values are examples, the key is nobody's.
DEPLOYED := DEBUG=0 SECRET_KEY=an-example-for-the-check-4nT8vQ2mZr7LxKpW0sYd9HgB3cJfUeA6 \
	ALLOWED_HOSTS=handoff.example.com PUBLIC_URL=https://handoff.example.com \
	EMAIL_URL=smtp+tls://user:password@mail.example.com:587 TRUST_PROXY=1

.DEFAULT_GOAL := help
.PHONY: help install run test check audit storm bench browse clean

help:
	@echo "make run      the site with demo data on http://127.0.0.1:$(PORT) (PORT= changes it)"
	@echo "              DOUBLES=1 connects doubles of five other systems (DOUBLES_PORT= where)"
	@echo "make test     the whole suite (DATABASE_URL= for PostgreSQL, CHROMIUM= for the browser tests)"
	@echo "make check    ruff, formatting, types, missing and unsafe migrations, deployment check"
	@echo "make audit    every pin of the locks held against published advisories (needs the internet)"
	@echo "make storm    the long storms and kill tests"
	@echo "make bench    the benchmark at ten thousand to a million handoffs (N= for other sizes)"
	@echo "make browse   what the inbox weighs and how fast it answers in a real browser"
	@echo "make install  the environment in .venv only"

install: $(INSTALLED)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "Making the environment in .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv

$(INSTALLED): requirements.lock | $(BIN)/python
	@echo "Installing what the site needs"
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock | $(BIN)/python
	@echo "Installing what the tests need"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

run: export DEBUG := 1
ifneq ($(DOUBLES),)
run: export CONNECTOR_PRIVATE_HOSTS := 127.0.0.1
endif
run: export PUBLIC_URL := http://127.0.0.1:$(PORT)
run: $(INSTALLED)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py setup --verbosity 0
	@$(BIN)/python manage.py seed_demo
ifeq ($(DOUBLES),)
	@exec $(BIN)/python manage.py start --bind 127.0.0.1:$(PORT)
else
# The doubles end with the shell that becomes the site, however that ends.
	@$(BIN)/python -m tests.doubles --port $(DOUBLES_PORT) --with-parent & \
	$(BIN)/python manage.py connect_doubles --url http://127.0.0.1:$(DOUBLES_PORT) && \
	exec $(BIN)/python manage.py start --bind 127.0.0.1:$(PORT)
endif

# What is compiled is kept, also where the environment says otherwise: dozens of processes begin with it.
test: export PYTHONDONTWRITEBYTECODE :=
# A worker that is done takes over half of what another has left, so that all end at the same time.
test: $(INSTALLED_DEV)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy handoff_site routing leads metrics
	$(BIN)/mypy --explicit-package-bases tests/bench/*.py tests/doubles/__main__.py
	$(BIN)/mypy --explicit-package-bases --strict tests/api_client/*.py
	$(BIN)/djade --check --target-version 5.2 $$(find templates -name '*.html')
	DEBUG=1 $(BIN)/python manage.py makemigrations --check --dry-run
	DEBUG=1 $(BIN)/python manage.py lint_migrations
	$(DEPLOYED) $(BIN)/python manage.py check --deploy --fail-level WARNING

# Red when an advisory is known, and when nothing could be found out. ARGS=--osv-url=... asks a mirror of OSV.
audit: $(INSTALLED_DEV)
	@$(BIN)/python -m tests.advisories $(ARGS)

# One at a time and with their figures: these tests measure seconds and kill processes.
storm: $(INSTALLED_DEV)
	@$(BIN)/python -m pytest --override-ini addopts= --strict-markers --import-mode=importlib -v -s tests/storm/long $(ARGS)

bench: $(INSTALLED_DEV)
	@$(BIN)/python -m tests.bench $(if $(N),--handoffs $(N)) $(ARGS)

browse: $(INSTALLED_DEV)
	@$(BIN)/python -m tests.bench.browsing $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
