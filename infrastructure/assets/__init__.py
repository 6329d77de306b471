# SPDX-License-Identifier: Apache-2.0
"""Builders of Lambda bundles and static sites."""
