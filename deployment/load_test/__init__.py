# SPDX-License-Identifier: Apache-2.0
"""Load test of a running room: ``python -m deployment.load_test``."""
