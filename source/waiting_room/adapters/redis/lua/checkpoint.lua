-- SPDX-License-Identifier: Apache-2.0
-- checkpoint: what a rebuild could start from; the copy remembers that it was asked.
-- result: generation version settled_through tokens completed abandoned taken ended
--         segments "first:last:at"   expires_at, count, …
if not alive() then return LOST end
redis.call('HSET', STATE, 'checkpointed', figures())
return {
  number('generation'), number('version'), number('settled_through'), number('tokens'),
  number('completed'), number('abandoned'), redis.call('GET', TAKEN) or '',
  redis.call('GET', ENDED) or '', redis.call('ZRANGE', SERVED, 0, -1),
  redis.call('HGETALL', LIVE_COUNT),
}
