# SPDX-License-Identifier: Apache-2.0
"""Events: the document of an event, its phase, and the actions of operators."""
