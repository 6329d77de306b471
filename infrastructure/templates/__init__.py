# SPDX-License-Identifier: Apache-2.0
"""Templates that CloudFormation deploys without CDK: `make dist`."""
