# SPDX-License-Identifier: Apache-2.0
"""Definitions without CDK, read by the stacks and by the one-machine room."""
