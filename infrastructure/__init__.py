# SPDX-License-Identifier: Apache-2.0
"""Where the room runs: definitions shared with the one-machine stack, and the CDK stacks."""
