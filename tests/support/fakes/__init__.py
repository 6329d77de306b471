# SPDX-License-Identifier: Apache-2.0
"""The ports in memory, one module each; ``tests/contract`` tests them together with the stores."""
