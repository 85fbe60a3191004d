# The commands for people; CI runs `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help test fmt clippy

help:
	@echo "make test   everything that CI runs: format, lints, unit tests, tests on real MySQL"

test: fmt clippy
	cargo test --locked

fmt:
	cargo fmt --check

clippy:
	cargo clippy --locked --all-targets -- -D warnings
