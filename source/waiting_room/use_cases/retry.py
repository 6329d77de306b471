# SPDX-License-Identifier: Apache-2.0
"""The retry rule under its former name, for use cases that loop over ``tries`` themselves."""

from waiting_room.domain.retry import WRITE_TRIES, tries

__all__ = ["WRITE_TRIES", "tries"]
