# SPDX-License-Identifier: Apache-2.0
# Every target is one short command. `make run` and `make test` need python3, python3-venv and make only.
# A line that starts with ##@ begins a group of `make help`; the text after ## describes a target.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
DYNAMODB_LOCAL_SHA256 := 454305e9bc3e6ebcca5b62569869e31563b8d7e346474e94557b2600702146c7
PYTEST_ARGS ?=
CDK = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npx cdk
CDK_ARGS ?=
SCAN_ARGS = -c plainCode=true -c Stacks=core,authorizer,sample,openid,inlet,gate,edge-alarms -c EdgeDistributions=E1A2B3C4D5E6F7 -c InletStrategy=MaxSize -c OpenIdRedirectUris=https://shop.example/callback -c SiteOrigin=origin.shop.example
VISITORS ?= 1000000
USERS ?= 2000
BASE ?= main
ONLY ?= --all
FROM ?=
export PYTHONPATH := source:.
# Without bytecode files, each process of the tests compiles every module that it imports.
unexport PYTHONDONTWRITEBYTECODE
export DEPLOYMENT_ARGS = $(CDK_ARGS)

ifeq ($(filter clean help,$(MAKECMDGOALS))$(filter file default,$(origin PYTHON)),)
ifneq ($(wildcard .venv/bin/python),)
ifneq ($(shell $(PYTHON) -V),$(shell .venv/bin/python -V))
$(error PYTHON=$(PYTHON) is $(shell $(PYTHON) -V) and .venv has $(shell .venv/bin/python -V). Delete the environment first: rm -rf .venv)
endif
endif
endif

.PHONY: help
.PHONY: install run invoke sites preview clean
.PHONY: check test test-changed pre-commit lint types hops security scan matrix fuzz chaos attack soak on-sale broken mutants screenshots docs lock
.PHONY: bootstrap synth diff changes doctor deploy destroy dist publish bundles wheel release
.PHONY: redrive warm restore capacity rooms
.PHONY: bench load-test capacity-check many-pages admission-plots

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.venv/uv: Makefile
	@echo "· creating a virtual environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is %d.%d." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { echo "No virtual environment: install Debian's python3-venv and python3-pip-whl for this Python."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/local: .venv/uv requirements/local.txt
	@echo "· installing the packages to run the room (about a minute the first time)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	@touch $@

.venv/dev: .venv/local requirements/dev.txt
	@echo "· installing the packages for tests and checks"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

.venv/bin/waiting-room: source/apps/command_line/launcher.sh .venv/uv
	@install -m 755 $< $@

.venv/dynamodb-local/ready: .venv/dev
	@echo "· downloading DynamoDB Local (it needs Java; without Java, its tests are skipped)"
	@mkdir -p $(@D) && cd $(@D) && $(CURDIR)/$(BIN)/npm pack --silent amplify-dynamodb-simulator@2.9.30 >/dev/null && tar xzf *.tgz && rm *.tgz
	@cd $(@D) && echo "$(DYNAMODB_LOCAL_SHA256)  package/emulator/DynamoDBLocal.jar" | sha256sum --check --quiet && touch ready

.venv/wheels/ready: .venv/dev requirements/wheel-oldest.txt requirements/wheel-newest.txt
	@echo "· downloading the packages that the wheel is tested with"
	@rm -rf $(@D) && for age in oldest newest; do $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --dest $(@D)/$$age -r requirements/wheel-$$age.txt || exit 1; done
	@touch $@

.venv/downloads: .venv/dev $(wildcard */*/package-lock.json) requirements/gate-store.txt
	@echo "· downloading the Node modules of the sites and of the tests, and the wheels of the Lambda bundles"
	@$(BIN)/python -m tests.tools.downloads && touch $@

node_modules/ready: .venv/dev package-lock.json
	@echo "· downloading the CDK command line"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent && touch $@

.venv/mutants: .venv/dev requirements/mutants.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/mutants.txt
	@touch $@

.venv/scan/ready: .venv/dev requirements/scan.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r requirements/scan.txt
	@touch $@

##@ Run

install: .venv/dev .venv/bin/waiting-room .venv/dynamodb-local/ready .venv/wheels/ready .venv/downloads ## install all dependencies into .venv

run: .venv/local .venv/bin/waiting-room ## start the whole room on this machine and print its addresses
	@$(BIN)/python -m deployment.local

invoke: .venv/local ## call a worker of the running room: make invoke FUNCTION=sweep_positions
	@$(BIN)/python -m deployment.local.invoke $(FUNCTION) '$(PAYLOAD)'

sites: .venv/local ## build the two static sites into build/sites
	@$(BIN)/python -m infrastructure.assets.sites

preview: .venv/local ## show the states of the waiting page with a brand: make preview BRAND='{…}' EVENTS=events.yaml
	@$(BIN)/python -m deployment.preview

clean: ## delete what the other targets create
	rm -rf .venv .local build cdk.out node_modules */*/node_modules .pytest_cache .mypy_cache .ruff_cache

##@ Check

check: lint types test ## lint, types and test: what CI runs

test: install ## run all tests (about 20 minutes on 2 cores)
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-changed: install ## run the tests that cover the changed files: make test-changed BASE=main
	@$(BIN)/python -m deployment.checks.changed_tests $(BASE) $(PYTEST_ARGS)

pre-commit: .venv/dev ## install the git hook that checks each commit: style, types, secrets, words
	$(BIN)/pre-commit install

lint: .venv/dev ## check style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/dev ## check types
	$(BIN)/mypy

hops: .venv/dev ## print the calls between each API view and its rule, its write and the counters
	@$(BIN)/python -m tests.tools.hops

security: .venv/dev ## scan code, secrets, pinned versions and known advisories
	$(BIN)/python -m deployment.checks.security

scan: node_modules/ready .venv/scan/ready ## scan the templates of all stacks with cfn-lint, cdk-nag and checkov
	@$(CDK) synth --quiet --output build/scan $(SCAN_ARGS)
	@$(BIN)/python -m deployment.checks.scan build/scan
	@$(BIN)/python -m pytest -q tests/infrastructure/test_security.py -k "cdk_nag or review or suppression"

matrix: install ## run every change of deployed stacks in every profile, and compare all templates of make dist (takes minutes; make test runs a part)
	MATRIX=all $(BIN)/python -m pytest -q -n 2 tests/infrastructure/test_changes.py
	MATRIX=all $(BIN)/python -m pytest -q tests/infrastructure/test_dist.py tests/infrastructure/test_dist_journey.py

fuzz: install ## send generated requests and texts to every API and parser (FUZZ_SEEDS=5; FUZZ_SEED repeats one)
	$(BIN)/python -m tests.fuzz

chaos: install ## run fault-injection tests on real servers for minutes; write docs/reliability.md (CHAOS_SEEDS=3; CHAOS_SEED repeats one)
	$(BIN)/python -m tests.chaos

attack: install ## run the attacks of docs/security.md on a room of their own, 3 to 5 minutes (ATTACK_SEED repeats a run)
	$(BIN)/python -m tests.attack

soak: install ## load a new room on this machine with disturbances: make soak MINUTES=20 RATE=10 SEED=1
	MINUTES="$(MINUTES)" RATE="$(RATE)" SEED="$(SEED)" $(BIN)/python -m tests.soak

on-sale: install ## run an on-sale in Chromium: two operators, twenty visitors, a lost network, an expired sign-in (3 minutes)
	$(BIN)/python -m tests.on_sale

broken: .venv/dev ## mutation tests: break each rule and check that a test fails
	$(BIN)/python -m tests.mutations

mutants: install .venv/mutants ## make 100 random small changes to the code and count those that a test detects
	@$(BIN)/python -m tests.mutants

screenshots: install ## write a screenshot of each state of both pages to build/screenshots
	$(BIN)/python -m tests.screenshots

docs: .venv/dev ## build the documentation site into build/docs; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

lock: .venv/uv ## pin every dependency again, with hashes
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal -c requirements/dev.txt requirements/local.in -o requirements/local.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal -c requirements/dev.txt requirements/mutants.in -o requirements/mutants.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal requirements/scan.in -o requirements/scan.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal requirements/gate-store.in -o requirements/gate-store.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal requirements/wheel-oldest.in -o requirements/wheel-oldest.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --universal -c requirements/dev.txt requirements/wheel-newest.in -o requirements/wheel-newest.txt

##@ Deploy

bootstrap: node_modules/ready ## prepare the AWS account and region for CDK, once
	$(CDK) bootstrap $(CDK_ARGS)

synth: node_modules/ready ## write the CloudFormation templates to cdk.out (CDK_ARGS="-c EventId=Sale" sets parameters)
	$(CDK) synth --quiet $(CDK_ARGS)

diff: node_modules/ready ## show what a deployment would change
	$(CDK) diff $(ONLY) $(CDK_ARGS)

changes: node_modules/ready ## print what CloudFormation would refuse: make changes FROM=cdk.deployed CDK_ARGS="-c SnapStart=true"
	@test -n "$(FROM)" || { echo "FROM is missing: name the folder with the deployed templates: make changes FROM=cdk.deployed (docs/updates.md)."; exit 1; }
	$(CDK) synth --quiet $(CDK_ARGS)
	@$(BIN)/python -m deployment.stack_changes "$(FROM)" cdk.out

doctor: .venv/dev ## check the AWS account for the deployment and an event: make doctor VISITORS=50000
	@$(BIN)/python -m deployment.doctor $(if $(filter-out file,$(origin VISITORS)),--visitors $(VISITORS)) $(DOCTOR)

deploy: node_modules/ready ## deploy the stacks to the account and region of your AWS credentials (ONLY="Gate --exclusively" deploys one)
	$(if $(SKIP_DOCTOR),,@$(BIN)/python -m deployment.doctor --before-deployment)
	$(CDK) deploy $(ONLY) $(CDK_ARGS)
	@$(BIN)/python -m deployment.account.warm

destroy: node_modules/ready ## delete all stacks, then print what remains (ONLY=Gate deletes one, and prints nothing)
	$(CDK) destroy $(ONLY) $(CDK_ARGS)
	$(if $(filter --all,$(ONLY)),@$(BIN)/python -m deployment.account.remains)

dist: .venv/dev ## write templates and assets that need no CDK into build/dist (SET="EdgeApiKeyVersion=2" fixes parameters)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m infrastructure.templates $(SET)

publish: .venv/dev ## upload the assets of make dist: make publish BUCKET=mine PREFIX=room/ REGION=eu-central-1 PARAMETERS="EventId=Sale"
	@$(BIN)/python -m deployment.publish --bucket "$(BUCKET)" --prefix "$(PREFIX)" --region "$(REGION)" --parameters "$(PARAMETERS)"

bundles: .venv/local ## build the Lambda bundles (BUNDLE_COMPILER=python3.14 adds bytecode)
	@$(BIN)/python -m infrastructure.assets.bundle

wheel: .venv/local ## build the Python package of the gate and the authorizer into build/wheel
	@$(BIN)/python -m deployment.release.wheel

release: node_modules/ready ## check the tree and build bundles, templates, wheel and their SHA-256 sums
	@$(BIN)/python -m deployment.release

##@ Operate

redrive: .venv/local ## redrive the join dead-letter queue: make redrive (this machine) or REDRIVE="--stack WaitingRoom"
	@$(BIN)/python -m deployment.redrive $(REDRIVE)

warm: .venv/local ## pre-warm the tables of the deployed stack: make warm WRITES=20000
	@$(BIN)/python -m deployment.account.warm $(if $(WRITES),--writes $(WRITES))

restore: .venv/local ## restore the tables of the deployed stack, as they were at a time, to new tables: make restore AT=2026-01-31T12:00:00
	@$(BIN)/python -m deployment.account.restore $(if $(TABLES),--tables $(TABLES),--at $(AT))

capacity: .venv/dev ## print capacity, quotas to raise and cost: make capacity VISITORS=1000000
	$(BIN)/python -m deployment.capacity --visitors $(VISITORS) $(CAPACITY)

rooms: synth ## print how many rooms like this fit into one account: make rooms CDK_ARGS="-c Profile=cheap"
	@$(BIN)/python -m deployment.capacity.rooms cdk.out

##@ Measure

bench: install ## measure requests, times, cold starts, throughput and growth; write docs/performance.md (ONLY=growth)
	@$(BIN)/python -m tests.benchmarks

load-test: .venv/dev ## send visitors to the room that runs on this machine: make load-test USERS=2000 PROCESSES=2
	$(BIN)/python -m deployment.load_test --users $(USERS) $(if $(PROCESSES),--processes $(PROCESSES)) $(LOAD_TEST)

capacity-check: .venv/dev ## compare the capacity model with the last load test on this machine
	$(BIN)/python -m deployment.capacity.check $(CAPACITY)

many-pages: install ## count the origin requests of 500 waiting pages in a minute
	$(BIN)/python -m tests.benchmarks.many_pages

admission-plots: .venv/dev ## simulate automatic admission; write the table and plots of docs/admission.md
	$(BIN)/python -m deployment.admission_simulation.plots

