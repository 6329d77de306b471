# SPDX-License-Identifier: Apache-2.0
"""The check of a token, without AWS."""
