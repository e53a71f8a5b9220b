# make run    environment if needed, then the sample workspace: 21 cities, the province, the projects
# make test   environment if needed, then every test
# make check  format, lint, types, fast tests, architecture; runs them all, then fails if one did
# make golden which numbers of R packages are met (needs EVALKIT_REFERENCE)
# make soak   the long simulations and fifty kills of a running supervisor; tables go to benchmarks/
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: run test check golden soak soak-kills lock env clean
.DEFAULT_GOAL := run

env: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(STAMP)

run: $(STAMP)
	@$(BIN)/evalkit run data_samples/guangdong

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(STAMP)
	@fail=0; \
	$(BIN)/ruff format --check . || fail=1; \
	$(BIN)/ruff check . || fail=1; \
	$(BIN)/mypy evalkit || fail=1; \
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not browser" || fail=1; \
	exit $$fail

golden: $(STAMP)
	@$(BIN)/python -m tests.golden.agreement

soak: $(STAMP)
	@for what in project city city_weighted; do \
	  $(BIN)/python benchmarks/coverage.py --what $$what --scenario null --seeds 2000; \
	  for scenario in effect heterogeneous; do \
	    $(BIN)/python benchmarks/coverage.py --what $$what --scenario $$scenario --seeds 1000; done; done
	@$(BIN)/python benchmarks/npv_coverage.py
	@$(BIN)/python benchmarks/firm_batches.py
	@$(BIN)/python benchmarks/coverage_staggered.py
	@$(BIN)/python benchmarks/coverage_staggered.py --bands 21 10 0 1 --first 501 --seeds 4000
	@$(BIN)/python benchmarks/size_grid.py && $(BIN)/python benchmarks/size_grid.py --summary
	@$(BIN)/python benchmarks/synthetic_size.py
	@$(BIN)/python benchmarks/icer_coverage.py
	@$(MAKE) --no-print-directory soak-kills

soak-kills: $(STAMP)
	@$(BIN)/python tests/pipeline/faulty.py --rounds 50 --log benchmarks/kills.csv

lock:
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --extra dev \
	  --python-version 3.11 pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) reports/*/ .pytest_cache .ruff_cache .mypy_cache
