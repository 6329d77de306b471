#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Console script `waiting-room`: `make install` and `make run` copy it to .venv/bin.
bin=$(dirname "$(readlink -f "$0")")
PYTHONPATH="$bin/../../source" exec "$bin/python" -P -m apps.command_line "$@"
