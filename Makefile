# Every command of the project; `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv/bin
FLASK := $(VENV)/flask --app wsgi
WORKERS ?= 2
PROFILE ?= DEMO
PROVED_APART := tests/bench tests/rentals/test_custody_is_covered.py tests/rentals/test_offline.py tests/carbox/test_box_broker.py tests/billing/test_money_model.py tests/kit/test_naughty.py
.DEFAULT_GOAL := help
.PHONY: help setup demo serve simulate test check bench bench-insurer bench-city faults migrate worker openapi lint-api format requirements texts

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## virtual environment, pinned packages, Mosquitto; safe to repeat
	@$(PYTHON) tools/setup.py

demo: setup ## the whole story on real parts, told step by step
	@$(VENV)/python -m app.demo

serve: setup ## the same parts with sample data, up until Ctrl-C
	@$(VENV)/python -m app.demo --serve

simulate: setup ## one simulated car in this terminal and keys to move it; PROFILE=SQ SE MI ZOE2 for another
	@$(VENV)/python -m carbox.simulator view --profile $(PROFILE)

test: setup ## all tests
	@$(VENV)/pytest -n $(WORKERS) --dist loadgroup

check: setup ## format, lint, types, import rules, contract up to date
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/mypy .
	@$(VENV)/lint-imports
	@$(VENV)/python -m app.demo --check-openapi
	@if command -v npx >/dev/null 2>&1; then $(MAKE) --no-print-directory lint-api; else echo "no node here: lint-api left out"; fi

lint-api: ## lint openapi.yaml with Spectral (default and OWASP rules) and Redocly
	@tools/lint-api

openapi: setup ## write openapi.yaml anew
	@$(VENV)/python -m app.demo --write-openapi

bench: setup ## measure, print a table, write bench/results.json
	@$(VENV)/python -m bench

bench-insurer: setup ## ten million covers and what insurers ask of them; FOLDER=... keeps them there for the next run
	@$(VENV)/python -m bench.insurer $(if $(FOLDER),--folder $(FOLDER))

bench-city: setup ## 20,000 cars, 4 million people and what they ask; FOLDER=... keeps them there, TENTH=yes makes a tenth of the people
	@$(VENV)/python -m bench.city $(if $(FOLDER),--folder $(FOLDER)) $(if $(TENTH),--tenth)

faults: setup ## the long run: kill tests and their table, long random histories, every odd text in every field, every row of the bench once
	@GLOVEBOX_FAULTS=long $(VENV)/pytest -n 0 tests/faults tests/races $(PROVED_APART)

migrate: setup ## bring DATABASE_URL to the newest migration
	@$(FLASK) db upgrade

worker: setup ## run a worker with the settings of the environment
	@$(FLASK) worker

format: setup ## format and mend what ruff can mend
	@$(VENV)/ruff format .
	@$(VENV)/ruff check --fix .

texts: setup ## what is new in the English texts (messages.pot) into every language, to be translated
	@$(VENV)/python tools/texts.py

requirements: setup ## compile the lock files anew
	@$(VENV)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header requirements.in -o requirements.txt
	@$(VENV)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header requirements-dev.in -o requirements-dev.txt
