# SPDX-License-Identifier: Apache-2.0
"""A crowd in front of a running room: ``python -m deployment.load_test``."""
