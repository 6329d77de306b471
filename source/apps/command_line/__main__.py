# SPDX-License-Identifier: Apache-2.0
"""``python -m apps.command_line``, which the console script ``waiting-room`` runs."""

from apps.command_line.app import NAME, main

main(prog_name=NAME)
