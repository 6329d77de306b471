# SPDX-License-Identifier: Apache-2.0
"""Implementations of the ports; each module imports only the client it needs."""
