# SPDX-License-Identifier: Apache-2.0
"""A small ticket shop behind the gate. It knows nothing of the waiting room but two headers."""
