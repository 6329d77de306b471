# SPDX-License-Identifier: Apache-2.0
"""Inlets: strategies that raise the serving counter."""
