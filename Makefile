# The commands for people; CI runs `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help test fmt clippy lab lab-down

help:
	@echo "make test       everything that CI runs: format, lints, unit tests, tests on real MySQL"
	@echo "make lab        a writer and two lagging readers on loopback, to play with"
	@echo "make lab-down   end that lab and remove it"

test: fmt clippy
	cargo test --locked

fmt:
	cargo fmt --check

clippy:
	cargo clippy --locked --all-targets -- -D warnings

lab:
	cargo run --locked --quiet -- lab up

lab-down:
	cargo run --locked --quiet -- lab down
