// SPDX-License-Identifier: Apache-2.0
/*
 * Requests to the files of the waiting page on a protected host, as a CloudFront Function (viewer
 * request): the address of the folder shows its index.
 */
// eslint-disable-next-line no-unused-vars
function handler(event) {
  const request = event.request;
  if (request.uri === '/_waiting-room/') request.uri = '/_waiting-room/index.html';
  return request;
}
