# SPDX-License-Identifier: Apache-2.0
"""One class for each operation of the room; they depend on ports only."""
