# Two commands matter: `make demo` and `make test`. Both work on a machine that has Python >= 3.11 and make.

PYTHON ?= python3
VENV   ?= .venv
FOR    ?= 2min
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench soak docs lock browser clean

help:  ## Show what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.demo  ## A day of a chatbot through five policies (report in demo/), then live in the browser; FOR=5min
	$(BIN)/hindscale backtest chatbot --out demo
	$(BIN)/hindscale demo --for $(FOR)

test: $(VENV)/.dev browser  ## Check style, types and layers, then run all tests
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto -q

check: test

fix: $(VENV)/.dev  ## Format, and mend what can be mended
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

bench: $(VENV)/.dev  ## Measure speed against the bars, as ratios to peers in the same run
	$(BIN)/python benchmarks/run.py

soak: $(VENV)/.dev  ## The tests that take long: many more examples of every property
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -n auto -q -m "not browser"

docs: $(VENV)/.dev  ## Rewrite what the docs take from the code: CLI reference, API page, pictures, tables
	$(BIN)/python tools/docs.py

lock: $(VENV)/.dev  ## Pin the newest versions that fit
	$(BIN)/python tools/lock.py

# The tests look at the report in a real browser. Where they may, they install it; elsewhere they say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || sh tools/browser.sh

clean:  ## Remove what make has made
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# `.demo` and `.dev` are made when their pins or the project's own metadata change. --require-hashes: what is
# installed is what was pinned, to the last byte.
$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: hindscale needs Python >= 3.11; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: constraints.txt pyproject.toml | $(VENV)/.venv
	$(PIP) install -q --require-hashes -r constraints.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: constraints-dev.txt pyproject.toml | $(VENV)/.venv
	$(PIP) install -q --require-hashes -r constraints-dev.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo
