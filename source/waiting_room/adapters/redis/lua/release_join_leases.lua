-- SPDX-License-Identifier: Apache-2.0
-- unclaim: whoever gets these joins next may have them, but must look whether they have a place.
-- KEYS 8 this hour's hash
-- ARGV request ids
for index = 1, #ARGV do redis.call('HSET', KEYS[8], ARGV[index], '0:') end
redis.call('EXPIRE', KEYS[8], 7200)
return 1
