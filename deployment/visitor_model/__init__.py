# SPDX-License-Identifier: Apache-2.0
"""How visitors arrive and poll."""
