# The commands of the project. `make demo` and `make test` set up whatever they need.
.DEFAULT_GOAL := help
.PHONY: help demo run test check bench fmt pictures packages clean

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-stamp
DEV := $(VENV)/.dev-stamp
export PYTHONUNBUFFERED = 1

help: ## Show what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(RUN) ## Send five real alerts through the router and show what comes out
	@$(BIN)/python demo/run.py

run: $(RUN) ## Serve with config/alert-router.yaml
	$(BIN)/alert-router serve

test: $(DEV) packages check ## Everything that must hold
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST_ARGS)

check: $(DEV) ## Format, lint, types, floors, documents
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/alert-router check --strict
	$(BIN)/alert-router test config/routing-tests.yaml
	$(BIN)/alert-router coverage config/prometheus-rules.yaml --fail-under 100
	$(BIN)/alert-router runbook index --check
	$(BIN)/codespell
	$(BIN)/pytest -q tests/test_docs.py tests/test_english.py tests/config/test_config_docs.py

bench: $(DEV) ## Measure, as ratios against baselines of the same run
	@scripts/packages.sh wrk prometheus-alertmanager || true
	$(BIN)/python -m benchmarks

fmt: $(DEV) ## Format and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

pictures: $(DEV) ## Take the pictures of docs/notifiers anew
	@scripts/packages.sh chromium fonts-noto-color-emoji || true
	$(BIN)/python -m scripts.pictures

# Tests say by themselves what they miss: skipped with the reason, an error where CI is set.
packages:
	@scripts/packages.sh prometheus prometheus-alertmanager strace chromium zsh dash util-linux faketime || true

requirements.txt: pyproject.toml constraints.txt scripts/hashes.sh ## Pin what is installed in the image, with hashes
	scripts/hashes.sh $@

requirements-build.txt: constraints.txt scripts/hashes.sh ## Pin what builds the wheel in the image, with hashes
	@echo hatchling >$@.in
	scripts/hashes.sh $@ $@.in; status=$$?; rm -f $@.in; exit $$status

clean: ## Remove what was made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

$(RUN): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh $(VENV)
	@touch $@

$(DEV): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh $(VENV) dev
	@touch $@ $(RUN)
