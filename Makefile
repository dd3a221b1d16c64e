# Everything this repository can be asked to do; `make` alone lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
SCRIPTS = $(shell grep -rlE '^\#!.*sh$$' hack .ci examples)
# One more than there are cores: tests of a ring without root wait now and then.
WORKERS = $(shell echo $$(($$(nproc) + 1)))
export PYTHON
# Debian's `su` keeps a user's PATH, and ip, nft and keepalived are not on it.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help setup check format test test-fast test-unit test-conformance test-simulation test-api test-network test-cluster \
	kube-binaries simulate demo demo-bare-metal cluster-up cluster-down bench install lock crds \
	changelog clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv from the lock file and install what the system lacks (PYTHON=python3.13 to choose)
	@hack/setup

check: setup ## Lint, format, types, layers, shell scripts; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v shellcheck >/dev/null; then echo shellcheck $(SCRIPTS); shellcheck $(SCRIPTS); \
	else echo "shellcheck is not installed: the shell scripts were not checked"; fi

format: setup ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test: setup ## Run all rings that can run here, side by side; some want root or sudo
	@hack/test

test-fast: setup ## Run unit, conformance and simulation side by side (a minute)
	@$(BIN)/pytest -q -n $(WORKERS) tests/unit tests/conformance tests/simulation

test-unit: setup ## Run the unit ring
	@$(BIN)/pytest tests/unit

test-conformance: setup ## Run the conformance ring: RFC 9568 row by row, frames against scapy
	@$(BIN)/pytest tests/conformance

test-simulation: setup ## Run the simulation ring: 200 seeds of faults in virtual time
	@$(BIN)/pytest tests/simulation

test-api: setup ## Run the API ring: a real Kubernetes API server on loopback, no root needed
	@hack/pytest tests/api

test-network: setup ## Run the network ring: real processes in network namespaces (root or sudo)
	@hack/pytest tests/network

test-cluster: setup ## Run the cluster ring: the chart on three real Kubernetes nodes (root or sudo)
	@hack/pytest tests/cluster

kube-binaries: ## Find the Kubernetes and etcd binaries that tests run, or build them (6 minutes, once a machine)
	@hack/kube-binaries

simulate: setup ## Simulate more: SEEDS=20000 for many, SEED=17 to replay one
	@$(BIN)/python tests/simulation/run.py $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED))

demo: setup ## Show it: a Kubernetes cluster, and an address that follows ready pods (root or sudo; KEEP=1)
	@hack/prepare
	@hack/as-root $(BIN)/python -m vip_lab.demo.kubernetes $(if $(filter-out 0,$(KEEP)),--keep)

demo-bare-metal: setup ## The demo without Kubernetes: three hosts and a client (root or sudo; KEEP=1)
	@hack/as-root $(BIN)/python -m vip_lab.demo.bare_metal $(if $(filter-out 0,$(KEEP)),--keep)

cluster-up: setup ## Start a Kubernetes cluster of three nodes in network namespaces (root or sudo)
	@hack/prepare
	@hack/as-root $(BIN)/python -m vip_lab.cluster up

cluster-down: setup ## End that cluster and remove everything of it
	@hack/as-root $(BIN)/python -m vip_lab.cluster down

bench: setup ## Measure, side by side with keepalived (root or sudo)
	@hack/as-root $(BIN)/python benchmarks/run.py

install: ## Install the speaker on this host under /opt/vip-operator (root or sudo; starts nothing)
	@hack/as-root hack/install

lock: setup ## Lock the dependencies again (LOCK="--upgrade" for newer versions)
	@hack/lock $(LOCK)

crds: setup ## Generate crds/ from the model
	@$(BIN)/python hack/generate_crds.py

changelog: setup ## Show what changed since the last release; VERSION=0.1.0 writes it into CHANGELOG.md
	@$(BIN)/python hack/changelog.py $(VERSION)

clean: ## Remove .venv and every cache
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
