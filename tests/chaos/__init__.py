# SPDX-License-Identifier: Apache-2.0
"""Attacks on a room on real servers. Each has a small size, which ``make test`` runs, and a long
one for ``make chaos``; each prints its seed and takes one."""
