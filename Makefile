# Everything a person does with this repository; `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
DATA_DIR ?= $(or $(PAVESCOPE_DATA_DIR),../shared/data)
ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint format bench accuracy clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'

# A stamp per set of packages: nothing is installed again until what it was made from changes.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Pavescope needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Pavescope into $(VENV): the first time this fetches about 3 GB, most of it PyTorch."
	@$(PIP) -e '.[engine]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Pavescope and its development tools into $(VENV)."
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.run

setup: $(VENV)/.dev ## install the product and the development tools into .venv

run: $(VENV)/.run ## install what is missing and start Pavescope on this machine (ARGS="--port 8600")
	@exec $(BIN)/pavescope up $(ARGS)

test: $(VENV)/.dev ## all tests; installs PostgreSQL, Redis and Chromium where it may (ARGS="-k name")
	@scripts/install_test_servers.sh
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/.dev ## style, types, import directions, container files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile && echo "Dockerfile: no complaint"; fi
	@if docker compose version >/dev/null 2>&1; then \
	  POSTGRES_PASSWORD=check REDIS_PASSWORD=check MINIO_ROOT_USER=check MINIO_ROOT_PASSWORD=check docker compose --profile gpu config --quiet && \
	  echo "docker-compose.yml: valid"; \
	else echo "docker-compose.yml: no Docker Compose here; tests/integration/test_compose.py reads it"; fi

lint: check ## the same as check

format: $(VENV)/.dev ## put the code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## the benchmarks, one after the other
	@set -e; for file in tests/benchmarks/bench_*.py; do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file; done

accuracy: $(VENV)/.dev ## measuring, scores on labelled images, adaptation without labels; some hours (DATA_DIR=folder)
	@missed=0; for file in measurement sample; do \
	  echo "== accuracy_$$file"; PYTHONPATH=. $(BIN)/python tests/benchmarks/accuracy_$$file.py || missed=1; done; \
	test -d $(DATA_DIR) || { echo "No labelled images in $(DATA_DIR): give DATA_DIR=folder" >&2; exit 1; }; \
	for file in accuracy accuracy_geometry accuracy_density accuracy_adaptation ablation_adaptation accuracy_papers; do \
	  echo "== $$file"; PYTHONPATH=. $(BIN)/python tests/benchmarks/$$file.py $(DATA_DIR) || missed=1; done; exit $$missed

clean: ## remove caches and build outputs; .venv and the data folder stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
