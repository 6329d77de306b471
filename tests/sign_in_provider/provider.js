// SPDX-License-Identifier: Apache-2.0
/**
 * A certified OpenID provider for tests and for trying the console on one machine. Any name signs in,
 * with any password: "steer" is in the group waiting-room-steer, "nobody" in none. It keeps everything
 * in memory.
 *
 *     node provider.js PORT CONSOLE [SETTINGS]
 *
 * CONSOLE is the address of the console, with a final slash. SETTINGS is JSON: `prefix` of the groups,
 * and `idToken`, the life of ID tokens in seconds.
 */

import { Provider } from 'oidc-provider';

const [port, panel, settings = '{}'] = process.argv.slice(2);
const { prefix = 'waiting-room-', idToken = 300 } = JSON.parse(settings);
const ROLES = ['watch', 'steer', 'administer'];
const issuer = `http://localhost:${port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'console',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [new URL('callback.html', panel).href],
    post_logout_redirect_uris: [panel],
  }],
  clientBasedCORS: (ctx, origin) => origin === new URL(panel).origin,
  claims: { openid: ['sub', 'email', 'groups'] },
  conformIdTokenClaims: false, // the identity pool reads the groups from the ID token
  features: { revocation: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@shop.example`,
      groups: ['staff', ...ROLES.filter((role) => id.split('.').includes(role)).map((role) => `${prefix}${role}`)],
    }),
  }),
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  pkce: { required: () => true },
  ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: idToken, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
});

provider.listen(Number(port), '127.0.0.1', () => console.log(issuer));
