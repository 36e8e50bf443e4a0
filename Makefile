# make install | quickstart | test | check | clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
QUICK := build/quickstart
QUICK_TASKS := gad,ncbi-disease
QUICK_METHODS := gold-n template augment

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

# Everything on the bundled sample and offline: a check that all parts work, not a measurement. What is done is kept.
# Rows are made for all tasks; a student is fine-tuned for two, to stay within minutes.
quickstart: export HF_HUB_OFFLINE := 1
quickstart: install
	@for method in $(QUICK_METHODS); do \
	  echo "== generate: $$method"; \
	  $(BIN)/clinsynth generate $$method --tasks all --rows 100 --out $(QUICK)/$$method --sample; \
	done
	@for method in $(QUICK_METHODS); do \
	  echo "== score: $$method"; \
	  $(BIN)/clinsynth score $(QUICK)/$$method --tasks $(QUICK_TASKS) --sample --seeds 0; \
	done
	@echo "== standings (on the sample: the numbers mean nothing)"
	@$(BIN)/clinsynth standings $(addprefix $(QUICK)/,$(QUICK_METHODS)) --sample
	@echo "== the same as pages"
	@$(BIN)/clinsynth snapshot $(addprefix $(QUICK)/,$(QUICK_METHODS)) --sample --out $(QUICK)-snapshot
	@$(BIN)/clinsynth site --snapshot $(QUICK)-snapshot --out $(QUICK)-site
	@echo
	@echo "Look at                               $(QUICK)-site/index.html"
	@echo "Next: get the open data sets          $(BIN)/clinsynth prepare"
	@echo "      score rows of your own          docs/submitting.md"
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
