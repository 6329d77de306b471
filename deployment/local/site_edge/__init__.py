# SPDX-License-Identifier: Apache-2.0
"""CloudFront in front of the local ticket shop: the published functions in Node, store, cache."""
