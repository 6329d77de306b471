# SPDX-License-Identifier: Apache-2.0
"""Deliberate breaks: ``make broken`` applies each to a copy and checks that a test fails."""
