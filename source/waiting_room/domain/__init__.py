# SPDX-License-Identifier: Apache-2.0
"""Rules and records. Pure: no input, output, clock or environment."""
