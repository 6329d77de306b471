# SPDX-License-Identifier: Apache-2.0
"""The CDK stacks, and definitions that the local stack shares with them."""
