# SPDX-License-Identifier: Apache-2.0
"""Checks of an AWS account before a deployment: ``make doctor VISITORS=50000``."""
