# SPDX-License-Identifier: Apache-2.0
"""The whole room on one machine: `python -m deployment.local`."""
