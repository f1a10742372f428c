# Each verb sets up what it needs; none needs another first. PYTHON=python3.12 picks the interpreter.
PYTHON ?= python3
PORT ?= 8080
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
READY := .venv/.ready-$(VERSION)
PEER_READY := .venv-peer/.ready-$(VERSION)
AZURE_CLI_READY := .venv-azure-cli/.ready-$(VERSION)
OLDEST_READY := .venv-airflow-3.2/.ready-$(VERSION)
PACKAGE := airflow_provider_batchad

# Some machines export it; Airflow's processes would then compile their own imports anew at each start.
unexport PYTHONDONTWRITEBYTECODE
export PYTHON

.PHONY: demo test check format bench nightly test-airflow-3.2 test-azure-cli test-peer test-web-form constraints clean .venv-peer

demo: $(READY)         ## set up and run the example on local Azure and a real Airflow (KEEP=1: leave it running; PORT=8090)
	@.venv/bin/python -m demo --port $(PORT) $(if $(filter-out 0,$(KEEP)),--keep)

test: $(READY)         ## set up and run the tests, three at a time, since one of them mostly waits for Airflow (ARGS="-k vault" for some of them)
	@.venv/bin/python -m pytest --numprocesses 3 $(ARGS)

check: $(READY)        ## lint, format, types, floors, dependencies
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports && .venv/bin/deptry .

format: $(READY)       ## mend what ruff can mend
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

bench: $(READY)        ## all benchmarks; builds the environment of what they are compared with
	@.venv/bin/python -m benchmarks

nightly: $(READY)      ## the long property, kill and soak runs, two files at a time; then the oldest Airflow
	@.venv/bin/python -m pytest -m nightly --numprocesses 2 --dist loadfile $(ARGS)
	@$(MAKE) test-airflow-3.2

test-airflow-3.2: $(OLDEST_READY)  ## the tests in a real Airflow, in the oldest one that is supported
	@.venv-airflow-3.2/bin/python -m pytest tests/airflow $(ARGS)
	@.venv-airflow-3.2/bin/python -m pytest -m nightly tests/reliability/test_end_of_life_*.py $(ARGS)

test-azure-cli: $(AZURE_CLI_READY)  ## the Azure CLI, in an environment of its own, against local Azure
	@.venv/bin/python -m pytest -m azure_cli tests/azure_cli $(ARGS)

test-peer: $(PEER_READY)  ## Airflow's own Azure Batch operator beside ours, in an environment of its own, on one local Azure; prints what differs
	@.venv/bin/python -m pytest --numprocesses 3 -m peer tests/peer $(ARGS)

test-web-form: $(READY)  ## the connection in Airflow's web page, in Chromium (Debian: chromium, chromium-driver; SCREENSHOTS=docs/images)
	@SCREENSHOTS=$(SCREENSHOTS) .venv/bin/python -m pytest -m web tests/web $(ARGS)

constraints: $(READY)  ## resolve constraints.txt and what the other environments pin anew
	@.venv/bin/uv pip compile --quiet --upgrade pyproject.toml --extra local --group dev $(COMPILE) -o constraints.txt
	@.venv/bin/uv pip compile --quiet --upgrade benchmarks/peer.in $(COMPILE) -o benchmarks/peer.txt
	@.venv/bin/uv pip compile --quiet --upgrade tests/airflow/airflow-3.2.in $(COMPILE) -o tests/airflow/airflow-3.2.txt
	@.venv/bin/uv pip compile --quiet --upgrade tests/azure_cli/requirements.in $(COMPILE) --prerelease=allow -o tests/azure_cli/requirements.txt
COMPILE := --universal --python-version 3.11 --no-header --no-annotate

clean:                 ## remove everything that the other verbs made
	@rm -rf .venv .venv-peer .venv-airflow-3.2 .venv-azure-cli .demo .test .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist

$(READY): pyproject.toml constraints.txt .ci/set-up
	@.ci/set-up $@

.venv-peer: $(PEER_READY)
$(PEER_READY): benchmarks/peer.txt | $(READY)
	@.ci/set-up $@ .venv-peer benchmarks/peer.txt

$(OLDEST_READY): tests/airflow/airflow-3.2.txt | $(READY)
	@.ci/set-up $@ .venv-airflow-3.2 tests/airflow/airflow-3.2.txt

$(AZURE_CLI_READY): tests/azure_cli/requirements.txt | $(READY)
	@.ci/set-up $@ .venv-azure-cli tests/azure_cli/requirements.txt
