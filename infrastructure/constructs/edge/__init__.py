# SPDX-License-Identifier: Apache-2.0
"""CloudFront, WAF and static sites."""
