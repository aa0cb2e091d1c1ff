# Needs Python 3.10-3.14 and make. AIRFLOW=2.11.2 does everything with that Airflow, in an environment of its own.
AIRFLOW ?= 3.3.2
PYTHON ?= python3
export UV_PYTHON_DOWNLOADS = never

ANY_PYTHON := >=3.10,<3.15
ELSEWHERE := e2e matrix
ifeq ($(AIRFLOW),3.3.2)
VENV := .venv
# What the tests in a whole Airflow need besides.
WHOLE_AIRFLOW = chromium $(POSTGRES)
PYTHONS := $(ANY_PYTHON)
else
VENV := .venv-$(AIRFLOW)
# Airflow 2.11 does not install on Python 3.13.
PYTHONS := >=3.10,<3.13
# What knows no Airflow is tested with the other one: both environments pin the same libraries (tests/test_packaging.py).
ELSEWHERE += client contract peer protos proxy testing test_benchmarks.py
endif

REQUIREMENTS := requirements/airflow-$(AIRFLOW).txt
UV := .tools/bin/uv
BIN := $(VENV)/bin
GRPCIO ?= 1.76.0
# An environment is kept as long as what it was made from is the same.
hash = $(shell cat $(wildcard $(1)) | cksum | cut -d' ' -f1)
STAMP := $(VENV)/.made-$(call hash,$(REQUIREMENTS) pyproject.toml airflow_provider_flyte/__init__.py)
IDL_STAMP := .venv-idl/.made-$(call hash,requirements/idl.txt)
DOCS_STAMP := .venv-docs/.made-$(call hash,requirements/docs.txt)
PEER_STAMP := .venv-peer/.made-$(call hash,requirements/peer.txt)
PEER_CONNECT_STAMP := .venv-peer-connect/.made-$(call hash,requirements/peer-connect.txt)
POSTGRES := .run/postgres-$(AIRFLOW)-$(call hash,requirements/postgres.txt)
WITH_POSTGRES := PYTHONPATH=$(CURDIR)/$(POSTGRES)

.PHONY: install demo test test-inside check docs changelog nginx chromium pictures test-contract test-e2e test-crashes matrix matrix-requirements constraints dist sbom licenses workflows golden release-check mutants bench bench-scale bench-triggerer bench-transports bench-import older-grpcio openlineage postgres test-ha protos protos-check protos-versions protos-drift requirements clean

install: $(STAMP)  ## make the environment with pinned versions

demo: $(STAMP)  ## watch a real Airflow wait for a Flyte run; KEEP=1 leaves the UI open, TRANSPORT=connect uses no gRPC
	$(BIN)/python -m tests.e2e.demo $(if $(KEEP),--keep) $(if $(TRANSPORT),--transport $(TRANSPORT))

# The end-to-end tests run by themselves: a real Airflow keeps two cores busy. With ARGS there may be none of them to run.
test: test-inside $(WHOLE_AIRFLOW)  ## all but test-crashes, postgres, test-ha, openlineage and matrix
ifeq ($(AIRFLOW),3.3.2)
	$(WITH_POSTGRES) $(BIN)/python -m pytest tests/e2e --ignore tests/e2e/launches $(ARGS) || { [ $$? = 5 ] && [ -n "$(ARGS)" ]; }
endif

test-inside: $(STAMP) $(PEER_STAMP) $(PEER_CONNECT_STAMP) nginx  ## what needs no whole Airflow
	PEER_PYTHON=.venv-peer/bin/python PEER_CONNECT_PYTHON=.venv-peer-connect/bin/python \
		$(BIN)/python -m pytest tests $(ELSEWHERE:%=--ignore tests/%) --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP)  ## ruff, mypy, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(DOCS_STAMP)  ## the documentation site in .run/site; warnings and broken links fail
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

changelog: $(DOCS_STAMP)  ## what changes/ makes of the next release; VERSION=0.1.0 writes it to CHANGELOG.md and removes the fragments
	.venv-docs/bin/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version unreleased)

nginx:  ## a real proxy for the tests; installed from Debian's packages where it is missing and the user is root
	$(call debian,nginx,nginx-light)

chromium:  ## a real browser for the connection's form, in the same way
	$(call debian,chromium,chromium)

pictures: $(STAMP) $(WHOLE_AIRFLOW)  ## the connection's form and the tab in docs/images, anew
	$(WITH_POSTGRES) REQUIRE_CHROMIUM=1 PICTURES=docs/images $(BIN)/python -m pytest tests/e2e/test_connection_form.py tests/e2e/test_flyte_tab_in_the_browser.py tests/e2e/test_flyte_lists_alone.py $(ARGS)

test-contract: $(STAMP) nginx  ## the contract suite; FLYTE_ENDPOINT=host:port runs it against that Flyte, FLYTE_TRANSPORT=connect so
	$(BIN)/python -m pytest tests/contract $(ARGS)

test-e2e: $(STAMP) $(WHOLE_AIRFLOW)  ## the real Airflow, on PostgreSQL
	$(WITH_POSTGRES) $(BIN)/python -m pytest tests/e2e --ignore tests/e2e/launches $(ARGS)

# By themselves: they have an Airflow of their own, and kill parts of it.
test-crashes: $(STAMP)  ## runs that a real Airflow launches while tasks are killed and processes die
	$(BIN)/python -m pytest tests/e2e/launches $(ARGS)

mutants: $(STAMP)  ## change the code one line at a time: does a test notice? ARGS="client/watch/waits.py --sample 40 --seed 1"
	$(BIN)/python scripts/mutants.py $(ARGS)

bench: $(STAMP) $(PEER_STAMP)  ## what waiting costs, beside the Flyte SDK; ARGS="--help" says what can be left out
	PEER_PYTHON=.venv-peer/bin/python $(BIN)/python benchmarks/waits.py $(ARGS)
ifeq ($(ARGS),)
	$(BIN)/python benchmarks/reported_ends.py
	$(BIN)/python benchmarks/picture.py .run/waits.json docs/images/waits.png
endif

bench-scale: $(STAMP)  ## what up to 100,000 waits cost one process, beside the watcher of before, and many projects and dear streams
	$(BIN)/python benchmarks/scale.py $(ARGS)
	$(BIN)/python benchmarks/large_installation.py

bench-triggerer: $(STAMP)  ## what a thousand deferred sensors cost a real triggerer, beside Airflow's own triggers
	$(BIN)/python benchmarks/triggerer.py $(ARGS)

bench-transports: $(STAMP)  ## gRPC and Connect, side by side
	$(BIN)/python benchmarks/transports.py $(ARGS)

bench-import: $(STAMP)  ## what our operators cost a DAG file, beside other providers'; ARGS="--compile" without bytecode
ifeq ($(AIRFLOW),3.3.2)
	$(UV) pip install --quiet --python $(BIN)/python --target .run/import-peers --no-deps -r requirements/import-peers.txt
endif
	PYTHONPATH=.run/import-peers $(BIN)/python benchmarks/dag_import.py $(ARGS)

older-grpcio: $(STAMP) nginx  ## every way to Flyte with an older grpcio, whose words differ; GRPCIO=1.62.3 is the oldest supported
	$(UV) pip install --quiet --python $(BIN)/python --target .run/grpcio-$(GRPCIO) --no-deps grpcio==$(GRPCIO)
	PYTHONPATH=.run/grpcio-$(GRPCIO) $(BIN)/python -m pytest tests/client/transport/test_selector.py tests/client/transport/test_tls.py tests/client/transport/test_idle_channels.py tests/proxy \
		--numprocesses 4 --dist load $(ARGS)

postgres: $(STAMP) $(POSTGRES)  ## texts that no database takes, through a whole Airflow on PostgreSQL
	$(WITH_POSTGRES) $(BIN)/python -m pytest tests/postgres $(ARGS)

# PostgreSQL, and what Airflow needs for it, laid beside the environment.
$(POSTGRES): $(STAMP)
	$(call debian,pg_ctlcluster,postgresql)
	$(UV) pip install --quiet --python $(BIN)/python --target $@ --no-deps -r requirements/postgres.txt
	@touch $@

test-ha: $(STAMP)  ## two of each on PostgreSQL, with LocalExecutor and CeleryExecutor: they die, and the database and Redis are away
	$(call debian,pg_ctlcluster,postgresql)
	$(call debian,redis-server,redis-server)
	$(UV) pip install --quiet --python $(BIN)/python --target .run/ha-$(AIRFLOW) --no-deps -r requirements/ha.txt
	PYTHONPATH=$(CURDIR)/.run/ha-$(AIRFLOW) $(BIN)/python -m pytest tests/ha $(ARGS)

# Debian's stable release has none; where it cannot be had, the matrix says that it only resolves.
.tools/python-3.14:
	-scripts/debian_python.sh 3.14 $@

matrix: $(UV) .tools/python-3.14  ## each Airflow as it was released; AIRFLOW=3.0.6 only that one, QUICK=1 less of each
	$(PYTHON) scripts/matrix.py run $(if $(filter command environment,$(origin AIRFLOW)),$(AIRFLOW)) $(if $(QUICK),--quick)

openlineage: $(STAMP)  ## with OpenLineage's provider beside Airflow 3.3.2, which all other tests run without
	$(UV) pip install --quiet --python $(BIN)/python --target .run/openlineage --no-deps -r requirements/openlineage.txt
	PYTHONPATH=.run/openlineage $(BIN)/python -m pytest tests/lineage $(ARGS)

protos: $(IDL_STAMP) $(STAMP)  ## derive protos/ and generate client/idl/
	$(BIN)/python scripts/derive_protos.py
	.venv-idl/bin/python scripts/generate_idl.py

protos-check: $(IDL_STAMP)  ## regenerating changes nothing
	.venv-idl/bin/python scripts/generate_idl.py --check

protos-versions: $(STAMP)  ## the same bytes and JSON as flyteidl2 on each protobuf from 4.25 on
	$(BIN)/python scripts/check_protobuf_versions.py

protos-drift: $(STAMP)  ## what the newest flyteidl2 has changed
	$(UV) pip install --quiet --python $(BIN)/python --target .run/flyteidl2 --upgrade --no-deps flyteidl2
	PYTHONPATH=.run/flyteidl2 $(BIN)/python scripts/derive_protos.py --drift

# With hashes, so that what is installed is what was tried; the matrix has pins alone, as users' constraints have.
pin = $(UV) pip compile --universal --python-version 3.10 --upgrade --quiet --no-header --no-annotate --generate-hashes

requirements: $(UV)  ## pin the newest versions
	for a in 3.3.2 2.11.2; do $(pin) requirements/dev.in requirements/airflow-$$a.in -o requirements/airflow-$$a.txt || exit 1; done
	for n in openlineage import-peers postgres ha; do $(pin) --no-deps requirements/$$n.in -o requirements/$$n.txt || exit 1; done
	for n in bootstrap audit peer peer-connect idl docs; do $(pin) requirements/$$n.in -o requirements/$$n.txt || exit 1; done

constraints: $(UV)  ## constraints/ for users, from what the matrix installs
	$(PYTHON) scripts/matrix.py constraints

# From a copy of what git has: what only lies about in the folder is in no release.
dist: $(UV)  ## sdist and wheel in dist/; the same bytes each time
	rm -rf dist .run/dist-source
	$(PYTHON) scripts/tracked_files.py .run/dist-source
	$(UV) build --quiet --python $(PYTHON) --build-constraints requirements/airflow-3.3.2.txt --out-dir dist .run/dist-source

sbom: $(UV) dist  ## what the wheel brings into an empty environment, as CycloneDX in .run/sbom.cdx.json
	$(call wheel_alone)
	sed "s/^dynamic = .*/version = $$(sed -n 's/^__version__ = //p' airflow_provider_flyte/__init__.py)/" pyproject.toml > .run/released.toml
	$(UV) run --quiet --no-project --isolated --with-requirements requirements/audit.txt \
		cyclonedx-py environment --pyproject .run/released.toml --mc-type library --output-reproducible -o .run/sbom.cdx.json .run/wheel-alone

licenses: $(UV) dist  ## the licence of everything that the wheel brings
	$(call wheel_alone)
	$(UV) run --quiet --no-project --isolated --with-requirements requirements/audit.txt \
		pip-licenses --python .run/wheel-alone/bin/python --order license --with-system --format plain

workflows: $(UV)  ## what zizmor, and actionlint where it is installed, find in .github/workflows
	$(UV) run --quiet --no-project --isolated --with-requirements requirements/audit.txt zizmor --offline --no-progress .github/workflows
	! command -v actionlint > /dev/null || actionlint

golden: $(STAMP)  ## what this version stores, in tests/golden, for later ones to read
	$(BIN)/python -m tests.support.golden

release-check:  ## whether all is there that the release VERSION=0.1.0 needs
	$(PYTHON) scripts/release_check.py "$(VERSION)"

matrix-requirements: $(UV)  ## pin what each Airflow had on the day of its release
	$(PYTHON) scripts/matrix.py pin

clean:
	rm -rf .venv .venv-* .tools .run dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV): requirements/bootstrap.txt
	$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv --clear .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/bootstrap.txt
	@touch $@

# $(1) program, $(2) its package
define debian
	@command -v $(1) > /dev/null || ! command -v apt-get > /dev/null || [ "$$(id -u)" != 0 ] || \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(2); } > /dev/null || \
		echo "$(1) could not be installed: the tests that need it are skipped"
endef

# An environment with the wheel, what it needs, and nothing else.
define wheel_alone
	$(UV) venv --quiet --clear --python $(PYTHON) .run/wheel-alone
	$(UV) pip install --quiet --python .run/wheel-alone/bin/python --constraint constraints/airflow-$(AIRFLOW).txt dist/*.whl
endef

# $(1) environment, $(2) Python versions, $(3) requirements
define make_venv
	$(PYTHON) scripts/check_python.py "$(2)" $(UV) > .tools/python-of$(subst /,-,$(1))
	$(UV) venv --quiet --clear --python "$$(cat .tools/python-of$(subst /,-,$(1)))" $(1)
	$(UV) pip install --quiet --python $(1)/bin/python -r $(3)
endef

$(STAMP): $(UV)
	$(call make_venv,$(VENV),$(PYTHONS),$(REQUIREMENTS))
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(IDL_STAMP): $(UV)
	$(call make_venv,.venv-idl,>=3.10$(comma)<3.13,requirements/idl.txt)
	@touch $@

$(DOCS_STAMP): $(UV)
	$(call make_venv,.venv-docs,$(ANY_PYTHON),requirements/docs.txt)
	@touch $@

$(PEER_STAMP): $(UV)
	$(call make_venv,.venv-peer,$(ANY_PYTHON),requirements/peer.txt)
	@touch $@

$(PEER_CONNECT_STAMP): $(UV)
	$(call make_venv,.venv-peer-connect,$(ANY_PYTHON),requirements/peer-connect.txt)
	@touch $@

comma := ,
