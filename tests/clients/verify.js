// SPDX-License-Identifier: Apache-2.0
// Verifies tokens as an API's own code would: it knows the issuer and the audience, and finds the
// keys by discovery. Reads {client, issuer, audience, tokens} and writes what each token says.
import { JwtVerifier } from "aws-jwt-verify";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { readFileSync } from "node:fs";

const { client, issuer, audience, tokens } = JSON.parse(readFileSync(0, "utf8"));

async function keysOf(address) {
  const answer = await fetch(`${address}/.well-known/openid-configuration`);
  const found = await answer.json();
  if (found.issuer !== address) throw new Error("the document is another issuer's");
  return found.jwks_uri;
}

const clients = {
  jose(keys) {
    const known = createRemoteJWKSet(new URL(keys));
    return async (token) => (await jwtVerify(token, known, { issuer, audience })).payload;
  },
  "aws-jwt-verify"(keys) {
    // its own fetcher speaks https alone
    const fetcher = { fetch: async (address) => (await fetch(address)).arrayBuffer() };
    const cache = { jwksCache: new SimpleJwksCache({ fetcher }) };
    const verifier = JwtVerifier.create({ issuer, audience, jwksUri: keys }, cache);
    return (token) => verifier.verify(token);
  },
};

const verify = clients[client](await keysOf(issuer));
const said = [];
for (const token of tokens) {
  try {
    said.push({ claims: await verify(token) });
  } catch (error) {
    said.push({ refused: error.name });
  }
}
process.stdout.write(JSON.stringify(said));
