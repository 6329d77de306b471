# SPDX-License-Identifier: Apache-2.0
"""``make soak``: a fresh room of this machine under steady load, for minutes, with disturbances."""
