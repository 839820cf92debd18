# `make help` lists the targets. `make demo` and `make test` install everything they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KUBECONFIG := $(CURDIR)/.cluster/kubeconfig
CLUSTER ?= node
export KUBECONFIG CLUSTER

NAMESPACE ?= seatrial-system
SOURCES := operator suites hack images bench
# The services under test; `kit` has none.
BUNDLED := alpha-panda intelligence-service kraken position-manager tbot
MEMBERS := suites/kit operator $(BUNDLED:%=suites/%)
TYPED := operator/seatrial suites/kit/pytest_seatrial.py suites/kit/seatrial_kit \
	$(foreach suite,$(BUNDLED),suites/$(suite)/$(subst -,_,$(suite))) suites/kraken/kraken_sandbox hack images bench
PYTEST := $(BIN)/pytest -q
TEST_LOG := .cluster/tests.log
# Helm 4 applies server-side, and what tests have patched is theirs until it is taken back. A kind cluster comes with the
# Helm on PATH, which may be 3: it knows neither the conflict nor the flag.
TAKE_BACK := $(if $(filter kind,$(CLUSTER)),,--force-conflicts)
OR_NODE := $(if $(filter kind,$(CLUSTER)),, or node)
KUBECTL = $$($(PYTHON) -m hack.cluster path kubectl)
HELM = $$($(PYTHON) -m hack.cluster path helm)

##@ The two commands

.PHONY: demo
demo: $(VENV)/.installed ## Run an example on this machine, with real servers and without a cluster
	@$(BIN)/seatrial run examples/position-manager.yaml

.PHONY: test
test: lint type contract crd-check chart-check items-check programs external-programs install ## Run every test, from lint to end to end on a real cluster (`make sbom` and the long forms below are their own)
	@# First what may run side by side; then what needs the machine to itself; then what brings operators and nodes of its own.
	@rm -f $(TEST_LOG)
	@$(PYTEST) -n 3 -m "not disruptive and not faults and not node and not docker and not sbom" | tee -a $(TEST_LOG)
	@$(PYTEST) -m "disruptive or docker$(OR_NODE)" | tee -a $(TEST_LOG)
	@$(PYTEST) -m faults | tee -a $(TEST_LOG)
	@grep -E '^[0-9]+ passed' $(TEST_LOG)

##@ Checks without a cluster

.PHONY: check
check: lint type contract crd-check items-check unit ## Lint, types, import contract, generated files, unit and golden tests

.PHONY: lint
lint: $(VENV)/.installed ## ruff: rules and format
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

.PHONY: fmt
fmt: $(VENV)/.installed ## Format the code
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

.PHONY: type
type: $(VENV)/.installed ## mypy, strict
	@$(BIN)/mypy $(TYPED)

.PHONY: contract
contract: $(VENV)/.installed ## Who may import whom
	@$(BIN)/lint-imports --no-cache

.PHONY: unit
unit: $(VENV)/.installed programs ## Tests that need no cluster
	@$(PYTEST) -n 2 -m "not apiserver and not e2e and not faults and not docker and not external and not sbom"

.PHONY: gitops
gitops: external-programs ## What Argo CD, Flux and Helm make of TestRuns, by their own libraries
	@$(PYTEST) -m "external and not e2e"

.PHONY: crd
crd: $(VENV)/.installed ## Generate the CRDs and the API reference from the models
	@$(BIN)/python -m seatrial.api.crd charts/seatrial/files/crds
	@$(BIN)/python -m seatrial.api.reference docs/api.md

.PHONY: crd-check
crd-check: $(VENV)/.installed ## Fail when the generated files are not what the models say
	@$(BIN)/python -m seatrial.api.crd --check charts/seatrial/files/crds
	@$(BIN)/python -m seatrial.api.reference --check docs/api.md
	@$(BIN)/python -m hack.chart --check

.PHONY: chart
chart: $(VENV)/.installed ## Generate the schema of the chart's values, the table in its README and install.yaml
	@$(BIN)/python -m hack.chart --manifest

.PHONY: chart-check
chart-check: $(VENV)/.installed ## Fail when one of these is out of date; lint and render the chart with Helm 4
	@$(BIN)/python -m hack.chart --check --manifest
	@$(HELM) lint --strict --quiet charts/seatrial
	@$(HELM) lint --strict --quiet charts/seatrial --values hack/install/values-local.yaml

.PHONY: sbom
sbom: $(VENV)/.installed ## Write a bill of materials (CycloneDX) for each built image into dist/sbom, and test them (builds Syft: minutes, the first time)
	@$(BIN)/python -m hack.supply sbom
	@$(PYTEST) -m sbom

.PHONY: audit
audit: $(VENV)/audit/bin/pip-audit ## Ask for known vulnerabilities of the locked packages; says so when nobody can be asked
	@$(BIN)/python -m hack.supply audit $<

.PHONY: items
items: $(VENV)/.installed ## Write suites/README.md: which tests show what
	@$(BIN)/python -m hack.items

.PHONY: items-check
items-check: $(VENV)/.installed ## Fail when an item of a suite has no test, or a test that is named does not exist
	@$(BIN)/python -m hack.items --check

.PHONY: golden
golden: $(VENV)/.installed ## Write the golden manifests anew; read the diff
	@SEATRIAL_WRITE_GOLDEN=1 $(BIN)/pytest -q operator/tests/golden

##@ The bundled suites, longer than `make test` does it

.PHONY: repeat
repeat: $(VENV)/.installed ## SUITE=NAME: twenty times in random order in one environment, then two copies side by side
	@$(BIN)/python -m hack.repeat $(SUITE) $(REPEAT)

.PHONY: mutations
mutations: $(VENV)/.installed ## SUITE=NAME, or all five: each deliberate bug of the service must turn its suite red
	@$(BIN)/python -m hack.mutations $(SUITE)

.PHONY: examples
examples: install ## Every example on the cluster and on this machine, compared
	@SEATRIAL_EXAMPLES=all $(PYTEST) operator/tests/e2e/test_examples.py

##@ On a real cluster

.PHONY: demo-cluster
demo-cluster: cluster images install $(VENV)/.installed ## Boot a cluster, install the operator, run the same example there
	@$(KUBECTL) delete testrun position-manager --ignore-not-found >/dev/null
	@$(BIN)/seatrial run --cluster examples/position-manager.yaml

.PHONY: e2e
e2e: install ## Every example, and everything that can go wrong with a run
	@$(PYTEST) -n 3 -m "e2e and not disruptive"
	@$(PYTEST) -m "e2e and disruptive"

.PHONY: e2e-security
e2e-security: install ## Everything that must be refused, with the operator's token, a tenant's, and from inside a run
	@$(PYTEST) -m "security and not disruptive"
	@$(PYTEST) -m "security and disruptive"

.PHONY: faults
faults: install ## Kill operators at every write and break their connections in every way (the long form)
	@SEATRIAL_FAULTS=all $(PYTEST) -s -m faults

.PHONY: bench
bench: install ## Latency and cost beside plain manifests; saved under bench/results
	@$(BIN)/python -m bench

.PHONY: bench-local
bench-local: $(VENV)/.installed ## Runs on this machine beside servers that were started by hand; saved under bench/results
	@$(BIN)/python -m bench.local

.PHONY: bench-scale
bench-scale: install ## Hundreds of runs at once, with nodes that are played; saved under bench/results
	@$(BIN)/python -m bench.scale

##@ The cluster

.PHONY: cluster
cluster: ## Boot a one-node Kubernetes and write .cluster/kubeconfig (CLUSTER=kind uses kind and Docker)
	@$(PYTHON) -m hack.cluster up

.PHONY: cluster-down
cluster-down: ## Stop it and remove every trace
	@$(PYTHON) -m hack.cluster down

.PHONY: images
images: cluster ## Build the images and load them into the cluster
	@$(PYTHON) -m hack.cluster load $$($(PYTHON) -m images build)

.PHONY: install
install: images ## Install the operator with its chart
	@$(HELM) upgrade --install seatrial charts/seatrial --namespace $(NAMESPACE) --create-namespace $(TAKE_BACK) \
		--values hack/install/values-local.yaml >/dev/null
	@# The images keep their tags, so the Deployment does not see that they are new.
	@$(KUBECTL) --namespace $(NAMESPACE) rollout restart deployment/seatrial >/dev/null
	@$(KUBECTL) --namespace $(NAMESPACE) rollout status deployment/seatrial --timeout=120s

.PHONY: uninstall
uninstall: ## Remove the operator; the TestRuns stay
	@$(HELM) uninstall seatrial --namespace $(NAMESPACE) --wait

##@ Set-up

$(VENV)/.installed: requirements/dev.lock $(MEMBERS:%=%/pyproject.toml)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		$(MEMBERS:%=--editable %)
	@touch $@

.PHONY: programs
programs: $(VENV)/.installed ## Install the programs that tests call (as root on Debian or Ubuntu), or say which are missing
	@$(BIN)/python -m hack.programs

.PHONY: external-programs
external-programs: $(VENV)/.installed ## Build the programs of others that tests ask: Helm, Argo CD's and Flux's libraries (minutes, the first time)
	@$(PYTHON) -m hack.cluster path helm >/dev/null
	@$(PYTHON) -m hack.gitops >/dev/null

$(VENV)/audit/bin/pip-audit: requirements/audit.lock | $(VENV)/.installed
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: lock
lock: $(VENV)/.installed ## Write the hashed lock files anew
	@PATH="$(CURDIR)/$(BIN):$$PATH" requirements/lock.sh

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
