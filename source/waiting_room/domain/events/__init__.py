# SPDX-License-Identifier: Apache-2.0
"""Rules of events at run time."""
