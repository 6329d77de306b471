// SPDX-License-Identifier: Apache-2.0
/** Roles of operators, as the identity pool reads them from the ID token. */

const ROLES = ['administer', 'steer', 'watch']; // the first one of an operator counts

/** Return the role that the groups in the claims of an ID token give; null without one. */
export function roleOf(claims, { groups_claim: claim, group_prefix: prefix }) {
  const said = claims[claim];
  const groups = Array.isArray(said) ? said : [said];
  return ROLES.find((role) => groups.includes(`${prefix}${role}`)) ?? null;
}

/** Return a name of the operator to show. */
export function nameOf(claims) {
  const names = [claims.email, claims.preferred_username, claims.name, claims.sub];
  return names.find((name) => typeof name === 'string' && name) ?? '';
}

/** Describe the groups that an operator needs. */
export function neededGroups({ group_prefix: prefix }) {
  return `${prefix}watch, ${prefix}steer or ${prefix}administer`;
}
