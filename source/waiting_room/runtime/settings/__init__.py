# SPDX-License-Identifier: Apache-2.0
"""Readers of the settings: one for each group of functions, on one reader of the environment."""
