# SPDX-License-Identifier: Apache-2.0
"""Use cases of the entrance behind a gate."""
