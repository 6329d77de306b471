# SPDX-License-Identifier: Apache-2.0
"""The parts that the stacks are made of."""
