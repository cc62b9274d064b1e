# Everything a newcomer or a CI needs. `make demo` and `make test` set up what they use.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test test-paths test-avx2 test-plain warm fuzz check format setup clean

help: ## Show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: $(STAMP) ## Encode a photo through the whole service and keep serving (DEMO_EXIT=1 ends afterwards)
	@$(BIN)/python -m regrow.cli.demo

# One process more than cores, as many tests wait for others; a file's tests stay together, and the slow files are first.
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder \
	-n $$($(PYTHON) -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')

test: $(STAMP) .tools warm ## Run every test
	@$(PYTEST)

warm: $(STAMP) ## Compile what the tests and the service use, which is kept; every process would do it else
	@$(BIN)/python -c 'from regrow.core.codec.decode.warm_up import warm_up; from regrow.core.codec.encode.seeds.trial import try_out; from regrow.core.codec.fit import trial; from regrow.core.codec.fit.engines import make_engine; warm_up(); try_out(); trial.try_out(make_engine())'

# As if on other processors: numba, torch, MKL and numpy's BLAS are held to their code for less.
AVX2 := NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+sse2,+avx,+avx2,+fma,+f16c,+bmi,+bmi2 \
	ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 OPENBLAS_CORETYPE=Haswell
PLAIN := NUMBA_CPU_NAME=generic ATEN_CPU_CAPABILITY=default MKL_ENABLE_INSTRUCTIONS=SSE4_2 OPENBLAS_CORETYPE=Nehalem \
	NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1

test-paths: test-avx2 test-plain ## Run the tests that compare bytes and numbers as if on two lesser processors

test-avx2: $(STAMP) ## The same, as if with AVX2 only
	@$(AVX2) $(PYTEST) -m exact

test-plain: $(STAMP) ## The same, as if without AVX, on one thread: what CI runs, being farthest from most machines
	@$(PLAIN) $(PYTEST) -m exact

fuzz: $(STAMP) ## Read 100,000 mutated picture files, for at most 15 minutes: FUZZ="--files N --seconds N --seed N"
	@$(BIN)/python -m tests.fuzz.pictures $(or $(FUZZ),--files 100000 --seconds 900)

check: $(STAMP) ## Lint, types on core, and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(STAMP) ## Make .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Regrow needs Python 3.11 or later; name one with make PYTHON=..."; exit 1; }
	@echo "Setting up $(VENV) (some minutes the first time: PyTorch is large)"
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check \
		--editable '.[serve,fit,dev]'
	@touch $(STAMP)

# Tests drive a browser, and run the examples of docs/API.md with curl: Debian's packages; elsewhere, any Chromium or
# Chrome and any curl on the PATH will do.
.PHONY: .tools
.tools:
	@missing=""; \
	command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="chromium"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	test -z "$$missing" || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  echo "Installing for the tests:" $$missing && \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } || \
	echo "Not found, so that tests will be skipped (Debian: apt-get install):" $$missing

clean: ## Remove what the commands above made
	rm -rf $(VENV) demo-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
