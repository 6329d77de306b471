# SPDX-License-Identifier: Apache-2.0
"""Commands that read or prepare the AWS account of a deployment."""
