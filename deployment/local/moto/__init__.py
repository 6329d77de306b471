# SPDX-License-Identifier: Apache-2.0
"""AWS services on this machine."""
