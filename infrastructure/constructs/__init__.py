# SPDX-License-Identifier: Apache-2.0
"""CDK constructs of the stacks."""
