# make install | quickstart | quickstart-llm | reproduce | test | check | docs | reliability | supply-chain | lock | clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# uv where it is there: it takes a fraction of the time. pip where not, and where uv cannot, since it does not read pip's
# settings, such as the address of a mirror.
UV := $(shell command -v uv)
BY_UV = $(UV) pip install --quiet --python $(BIN)/python "$$@" || { echo "uv cannot; by pip:"; $(PIP) "$$@"; }
INSTALL = $(if $(UV),by_uv() { $(BY_UV); }; by_uv,$(PIP))
QUICK := build/quickstart
QUICK_TASKS := gad
QUICK_METHODS := template

.PHONY: install quickstart quickstart-llm reproduce test check docs reliability supply-chain lock clean
.DEFAULT_GOAL := install
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

install: $(STAMP)

# The stamp is moved in last, with the time at which the installation began: a killed one leaves none, and an edit made
# meanwhile counts as new. Without a stamp the environment is made afresh; with an old one it is brought up to date.
$(STAMP): pyproject.toml constraints.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("clinsynth needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@if [ ! -e $@ ]; then rm -rf $(VENV); $(PYTHON) -m venv $(VENV); fi
	@rm -f $@; touch $@.begun
	@echo "installing into $(VENV); the first time takes some minutes"
	@$(INSTALL) --require-hashes --no-deps -r requirements.lock
# What is not in the lock is the CUDA build's own: NVIDIA's packages, which that wheel pins by version.
	@$(INSTALL) --no-build-isolation -c constraints.txt -e '.[dev]'
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

# The same with a small language model that runs on this machine: rows that it writes are scored beside the others, and it
# answers a task by itself. Its 1.1 GB are downloaded once; MODEL_FILE=FILE takes them from a file.
quickstart-llm: LOCAL := --model local $(if $(MODEL_FILE),--model-file $(MODEL_FILE)) --cache $(QUICK)-cache --sample
quickstart-llm: quickstart
	@$(BIN)/python -c 'import xllamacpp' 2>/dev/null || $(PIP) -c constraints.txt xllamacpp
	@echo "== generate: naive, by the model on this machine"
	@$(BIN)/clinsynth generate naive --tasks $(QUICK_TASKS) --rows 20 --out $(QUICK)/naive $(LOCAL)
	@echo "== score: naive"
	@$(BIN)/clinsynth score $(QUICK)/naive --tasks $(QUICK_TASKS) --sample --seeds 0
	@echo "== direct: the model answers by itself"
	@$(BIN)/clinsynth direct --tasks gad --out $(QUICK)/local-model $(LOCAL)
	@echo "== standings (on the sample: the numbers mean nothing)"
	@$(BIN)/clinsynth standings $(addprefix $(QUICK)/,$(QUICK_METHODS) naive local-model) --sample

# One stored row, trained again: make reproduce TASK=gad METHOD=template. One seed on 300 rows unless SEEDS=0-4, ROWS=1000
# or RECIPE=NAME say otherwise. The task's files are downloaded first, where they are not here.
REPRODUCE = $(BIN)/clinsynth reproduce submissions/$(METHOD) --tasks $(TASK) --rows $(or $(ROWS),300) \
  --seeds $(or $(SEEDS),0) --recipe $(or $(RECIPE),minilm-l6.v2) --again
reproduce: $(if $(and $(TASK),$(METHOD)),install)
	@$(if $(and $(TASK),$(METHOD)),:,echo "usage: make reproduce TASK=gad METHOD=template" >&2; exit 2)
	@$(BIN)/clinsynth prepare $(TASK)
	@status=0; $(REPRODUCE) || status=$$?; \
	  case $$status in 0) echo "$(METHOD) on $(TASK): agrees with what is stored";; \
	  1) echo "$(METHOD) on $(TASK): does NOT agree with what is stored";; \
	  *) echo "$(METHOD) on $(TASK): there was no stored run to train again";; esac; exit $$status

test: install
	$(BIN)/python -m pytest -n 2

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

# The documentation as pages with a search that needs no network; warnings are errors. REPOSITORY=https://... has links to
# files of the source lead there.
docs: DOCS_TOOLS := build/docs-tools
docs:
	@mkdir -p build
	@if [ ! -e $(DOCS_TOOLS)/.installed ]; then rm -rf $(DOCS_TOOLS); $(PYTHON) -m venv $(DOCS_TOOLS); \
	  $(DOCS_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check zensical==0.0.73; \
	  touch $(DOCS_TOOLS)/.installed; fi
	@$(DOCS_TOOLS)/bin/python docs/site.py $(if $(REPOSITORY),--repository $(REPOSITORY))

# Kills at random, full disks, two calls at once: some minutes. TRIALS=200 for the figures of docs/reliability.md.
reliability: export CLINSYNTH_KILLS := $(or $(TRIALS),40)
reliability: export CLINSYNTH_KILLS_REPORT := build/reliability/kills.json
reliability: install
	$(BIN)/python -m pytest -m reliability tests/test_reliability.py

# What is installed, as CycloneDX and as a table of licences; fails on GPL and AGPL among what clinsynth needs to run.
supply-chain: TOOLS := build/tools/bin
supply-chain: install
	@mkdir -p build/supply-chain
	@if [ ! -e build/tools/.installed ]; then rm -rf build/tools; $(PYTHON) -m venv build/tools; \
	  $(TOOLS)/python -m pip install --quiet cyclonedx-bom==7.5.0 pip-licenses==5.5.5; touch build/tools/.installed; fi
	$(TOOLS)/cyclonedx-py environment --output-format JSON -o build/supply-chain/sbom.cdx.json $(BIN)/python
	$(TOOLS)/pip-licenses --python $(BIN)/python --from mixed --with-urls --format json \
	  --output-file build/supply-chain/licences.json
	$(BIN)/python .ci/licences.py build/supply-chain/licences.json

# Needs uv. The CPU build of torch is another file than PyPI's, of the same version: its hash is added.
CPU_TORCH := $(shell sed -n 's/^# CPU build of torch: //p' constraints.txt)
CUDA := $(addprefix --no-emit-package ,cuda-bindings cuda-pathfinder cuda-toolkit triton $(addprefix nvidia-,cublas \
  cuda-cupti cuda-nvrtc cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 \
  nvjitlink nvshmem-cu13 nvtx))
lock:
	echo 'hatchling>=1.26' | uv pip compile --quiet --no-config --python-version 3.11 --generate-hashes --extra dev \
	  -c constraints.txt --no-annotate --no-header $(CUDA) pyproject.toml - -o requirements.lock
	sed -i 's|^torch==.*|&\n    --hash=sha256:$(CPU_TORCH) \\|' requirements.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
