# SPDX-License-Identifier: Apache-2.0
"""The stacks: constructs, grants, outputs."""
