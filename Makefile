# The commands of the project. `make demo` and `make test` set up what they need.
.DEFAULT_GOAL := help
.PHONY: help demo run test check static coverage bench fmt docs pictures manifests packages sbom clean

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-stamp
DEV := $(VENV)/.dev-stamp
export PYTHONUNBUFFERED = 1
# Tests start this program hundreds of times: it is compiled once, whatever the environment says.
export PYTHONDONTWRITEBYTECODE =

help: ## List the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(RUN) ## Send real alerts through the router and show the messages
	@$(BIN)/python demo/run.py

run: $(RUN) ## Serve with config/alert-router.yaml
	$(BIN)/alert-router serve

test: $(DEV) packages static ## Run all checks and tests
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST_ARGS)

check: $(DEV) static ## Check format, lint, types, layers and documents
	$(BIN)/pytest -q tests/test_docs.py tests/test_site.py tests/test_english.py tests/test_project.py tests/config/test_config_docs.py

# What no test does. The tests of the documents are among all tests, and `check` runs them alone.
static: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck scripts/*.sh .ci/run
	$(BIN)/alert-router check --strict
	$(BIN)/alert-router test config/routing-tests.yaml
	$(BIN)/alert-router coverage config/prometheus-rules.yaml --fail-under 100
	$(BIN)/alert-router runbook index --check
	$(BIN)/alert-router runbook lint --strict deploy/monitoring/runbooks
	$(BIN)/codespell

coverage: $(DEV) packages ## Run the tests and print the lines and branches that they miss
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term $(PYTEST_ARGS)

bench: $(DEV) ## Measure speed, relative to baselines in the same run
	@scripts/packages.sh wrk prometheus-alertmanager postgresql || true
	$(BIN)/python -m benchmarks

fmt: $(DEV) ## Format, and fix what can be fixed automatically
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(DEV) ## Write the generated references, and build the site into dist/site
	$(BIN)/python -m scripts.reference
	$(BIN)/python -m tests.notify.pages
	$(BIN)/python -m tests.checks.pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(DEV) ## Take the pictures of messages and pages in docs again
	@scripts/packages.sh chromium fonts-noto-color-emoji || true
	$(BIN)/python -m scripts.pictures
	$(BIN)/python -m scripts.page_pictures

manifests: $(DEV) ## Render the chart's files, the plain manifests and the dashboard again
	@$(BIN)/python -m scripts.manifests

# Without these, tests are skipped with a reason, and fail if CI is set.
packages:
	@scripts/packages.sh prometheus prometheus-alertmanager strace chromium zsh dash util-linux faketime postgresql pgbouncer || true
	@scripts/axe.sh $(VENV) || true

requirements.txt: pyproject.toml constraints.txt scripts/hashes.sh ## Pin what the image installs, with hashes
	scripts/hashes.sh $@

requirements-build.txt: constraints.txt scripts/hashes.sh ## Pin what builds the image, with hashes
	@printf "hatchling\ncyclonedx-bom\n" >$@.in
	scripts/hashes.sh $@ $@.in; status=$$?; rm -f $@.in; exit $$status

sbom: $(DEV) ## Write dist/sbom.cdx.json, the bill of materials of what the image installs
	rm -rf dist/sbom
	$(BIN)/python -m venv dist/sbom
	dist/sbom/bin/pip install --quiet --require-hashes --requirement requirements.txt
	dist/sbom/bin/pip install --quiet --no-deps .
	scripts/sbom.sh $(BIN)/python dist/sbom dist/sbom.cdx.json

clean: ## Remove everything generated
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage dist

$(RUN): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh $(VENV)
	@touch $@

$(DEV): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh $(VENV) dev
	@touch $@ $(RUN)
