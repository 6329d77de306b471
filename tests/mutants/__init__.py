# SPDX-License-Identifier: Apache-2.0
"""Mutation tests: ``make mutants`` makes small changes and runs the tests that cover each."""
