# SPDX-License-Identifier: Apache-2.0
"""Changes between synthesized stacks, and rules that find what CloudFormation would refuse."""
