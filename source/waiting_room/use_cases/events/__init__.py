# SPDX-License-Identifier: Apache-2.0
"""Use cases of events at run time."""
