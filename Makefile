# SPDX-License-Identifier: Apache-2.0
# Every target is one line a person can read. `make run` and `make test` need python3, python3-venv and make only.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
DYNAMODB_LOCAL_SHA256 := 454305e9bc3e6ebcca5b62569869e31563b8d7e346474e94557b2600702146c7
PYTEST_ARGS ?=
CDK = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npx cdk
CDK_ARGS ?=
VISITORS ?= 1000000
USERS ?= 2000
export PYTHONPATH := source:.

.PHONY: help run broken invoke sites install test lint types check fuzz security chaos attack soak bench synth bootstrap deploy diff destroy wheel bundles load-test capacity capacity-check redrive many-pages mutants screenshots openapi lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/uv: Makefile
	@echo "· making a virtual environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is %d.%d." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { echo "The venv module is missing: install Debian's python3-venv."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/local: .venv/uv requirements/local.txt
	@echo "· installing what the room needs to run (about a minute the first time)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	@touch $@

.venv/dev: .venv/local requirements/dev.txt
	@echo "· installing what tests and checks need"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

.venv/dynamodb-local/ready: .venv/dev
	@echo "· fetching DynamoDB Local (needs Java to run; tests say so where it is missing)"
	@mkdir -p $(@D) && cd $(@D) && $(CURDIR)/$(BIN)/npm pack --silent amplify-dynamodb-simulator@2.9.30 >/dev/null && tar xzf *.tgz && rm *.tgz
	@cd $(@D) && echo "$(DYNAMODB_LOCAL_SHA256)  package/emulator/DynamoDBLocal.jar" | sha256sum --check --quiet && touch ready

.venv/wheels/ready: .venv/dev requirements/wheel-oldest.txt requirements/wheel-newest.txt
	@echo "· fetching what the wheel is tested with"
	@rm -rf $(@D) && for age in oldest newest; do $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --dest $(@D)/$$age -r requirements/wheel-$$age.txt || exit 1; done
	@touch $@

node_modules/ready: .venv/dev package-lock.json
	@echo "· fetching the CDK's command line"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent && touch $@

install: .venv/dev .venv/dynamodb-local/ready .venv/wheels/ready ## install everything into .venv

run: .venv/local ## start the whole room on this machine and print its addresses
	@$(BIN)/python -m deployment.local

invoke: .venv/local ## call a worker of the running room by hand: make invoke FUNCTION=sweep_positions
	@$(BIN)/python -m deployment.local.invoke $(FUNCTION) '$(PAYLOAD)'

test: install ## run all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

inlet-plots: .venv/dev ## play the automatic inlet, write the table and plots of docs/inlets.md
	$(BIN)/python -m deployment.inlet_simulation.plots

lint: .venv/dev ## check style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/dev ## check types
	$(BIN)/mypy

fuzz: install ## generated requests and texts against every API and parser, five fresh seeds (FUZZ_SEED repeats one, FUZZ_SEEDS says how many)
	$(BIN)/python -m tests.fuzz

security: .venv/dev ## look for holes: code, secrets, pins, advisories of what is installed
	$(BIN)/python -m deployment.checks.security

chaos: install ## attack a room on real servers, for minutes, with three fresh seeds; write docs/reliability.md (CHAOS_SEEDS=5; CHAOS_SEED repeats one)
	$(BIN)/python -m tests.chaos

soak: install ## load a fresh room of this machine for 20 minutes, with disturbances: make soak MINUTES=20 RATE=10 SEED=1
	MINUTES="$(MINUTES)" RATE="$(RATE)" SEED="$(SEED)" $(BIN)/python -m tests.soak

attack: install ## attack a running room of its own, 3 to 5 minutes (docs/security.md; ATTACK_SEED repeats a run)
	$(BIN)/python -m tests.attack

redrive: .venv/local ## send dead joins again: make redrive (this machine) or REDRIVE="--stack WaitingRoom"
	@$(BIN)/python -m deployment.redrive $(REDRIVE)

broken: .venv/dev ## mutation tests: break each rule on purpose and check that a test fails
	$(BIN)/python -m tests.mutations

sites: .venv/local ## build the two static sites into build/sites
	@$(BIN)/python -m infrastructure.assets.sites

wheel: .venv/local ## build the Python package of the gate and the authorizer into build/wheel
	@$(BIN)/python -m deployment.release.wheel

bundles: .venv/local ## build the Lambda bundles (BUNDLE_COMPILER=python3.14 adds bytecode)
	@$(BIN)/python -m infrastructure.assets.bundle

synth: node_modules/ready ## write the CloudFormation templates to cdk.out (CDK_ARGS="-c EventId=Sale" sets parameters)
	$(CDK) synth --quiet $(CDK_ARGS)

bootstrap: node_modules/ready ## prepare the account and region for CDK, once
	$(CDK) bootstrap $(CDK_ARGS)

deploy: node_modules/ready ## deploy the stacks to the account and region of your AWS credentials
	$(CDK) deploy --all $(CDK_ARGS)

diff: node_modules/ready ## show what a deployment would change
	$(CDK) diff --all $(CDK_ARGS)

destroy: node_modules/ready ## remove the stacks
	$(CDK) destroy --all $(CDK_ARGS)

.venv/mutants: .venv/dev requirements/mutants.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/mutants.txt
	@touch $@

mutants: install .venv/mutants ## change the code in 100 small ways, drawn by the commit's id, and count what the tests notice
	@$(BIN)/python -m tests.mutants

many-pages: install ## how often 500 waiting pages ask the origin in a minute
	$(BIN)/python -m tests.benchmarks.many_pages

screenshots: install ## photograph each state of both pages into build/screenshots
	$(BIN)/python -m tests.screenshots

check: lint types test ## what CI runs

bench: install ## measure requests, times, cold starts, throughput, growth; fill docs/performance.md: make bench ONLY=growth
	@$(BIN)/python -m tests.benchmarks

capacity: .venv/dev ## how many visitors, what to raise, what it costs: make capacity VISITORS=1000000
	$(BIN)/python -m deployment.capacity --visitors $(VISITORS) $(CAPACITY)

capacity-check: .venv/dev ## hold the capacity model to the last load test of this machine
	$(BIN)/python -m deployment.capacity.check $(CAPACITY)

load-test: .venv/dev ## send a crowd to the room that runs here: make load-test USERS=2000
	$(BIN)/python -m deployment.load_test --users $(USERS) $(LOAD_TEST)

lock: .venv/uv ## pin every dependency again
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal -c requirements/dev.txt requirements/local.in -o requirements/local.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal -c requirements/dev.txt requirements/mutants.in -o requirements/mutants.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal requirements/wheel-oldest.in -o requirements/wheel-oldest.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal -c requirements/dev.txt requirements/wheel-newest.in -o requirements/wheel-newest.txt

clean: ## remove what the other targets made
	rm -rf .venv .local build cdk.out node_modules source/sites/node_modules tests/sites_lint/node_modules tests/clients/node_modules .pytest_cache .mypy_cache .ruff_cache
