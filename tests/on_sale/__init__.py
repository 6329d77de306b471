# SPDX-License-Identifier: Apache-2.0
"""An on-sale in browsers: two operators and many visitors at once."""
