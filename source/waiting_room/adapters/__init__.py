# SPDX-License-Identifier: Apache-2.0
"""The stores and services behind the ports; each module imports only the client it needs."""
