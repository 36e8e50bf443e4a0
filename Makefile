# make install | quickstart | test | check | clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
QUICK := build/quickstart

.PHONY: install quickstart test check clean
.DEFAULT_GOAL := install
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

install: $(STAMP)

# The stamp is moved in last, with the time at which the installation began: a killed one leaves none, and an edit made
# meanwhile counts as new. Without a stamp the environment is made afresh; with an old one it is brought up to date.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("clinsynth needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@if [ ! -e $@ ]; then rm -rf $(VENV); $(PYTHON) -m venv $(VENV); fi
	@rm -f $@; touch $@.begun
	@echo "installing into $(VENV); the first time takes some minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@mv $@.begun $@

# The way of somebody's rows on the bundled sample and offline: a check that all parts work, not a measurement. Then what
# is stored of real runs, as a table and as pages. What is done is kept.
quickstart: export HF_HUB_OFFLINE := 1
quickstart: install
	@echo "quickstart: about 2 minutes on two cores; nothing is downloaded"
	@mkdir -p $(QUICK)
	@echo "== rows made by a baseline (log: $(QUICK)/log)"
	@$(BIN)/clinsynth generate template --tasks gad --rows 100 --out $(QUICK)/template --sample > $(QUICK)/log 2>&1 \
	  || { cat $(QUICK)/log; exit 1; }
	@echo "== what they are worth, on a hand-written sample that only tries the machinery"
	@$(BIN)/clinsynth evaluate $(QUICK)/template --task gad --sample --seeds 0 2>> $(QUICK)/log \
	  || { tail -20 $(QUICK)/log; exit 1; }
	@echo
	@echo "== stored results of real runs"
	@$(BIN)/clinsynth standings submissions --no-statistics | sed -n '1,/^$$/p'
	@$(BIN)/clinsynth snapshot submissions --no-statistics --out $(QUICK)/snapshot >> $(QUICK)/log 2>&1
	@$(BIN)/clinsynth site --snapshot $(QUICK)/snapshot --out $(QUICK)/site >> $(QUICK)/log 2>&1
	@echo "The same as pages                     $(QUICK)/site/index.html"
	@echo "Next: rows of your own to a verdict   $(BIN)/clinsynth evaluate rows.csv --task mqp"
	@echo "      get all open data sets          $(BIN)/clinsynth prepare"
	@echo "      see what a score means          docs/protocol.md"

test: install
	$(BIN)/python -m pytest -n 2

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
