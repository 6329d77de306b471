-- SPDX-License-Identifier: Apache-2.0
-- end_rebuilds: what was read up to now must not be restored any more.
-- KEYS 8 whose turn it is   9 the tickets taken since the loss
-- result: 1; 0 when the copy is whole
if alive() then return 0 end
redis.call('DEL', KEYS[8], KEYS[9])
return 1
