-- SPDX-License-Identifier: Apache-2.0
-- count_token: count a token; idempotent.
-- ARGV 1 generation   2 position   3 expires_at (s)
-- result: 1; 0 when the token is of an older generation
if not alive() then return LOST end
local generation = number('generation')
if tonumber(ARGV[1]) < generation then return 0 end
if tonumber(ARGV[1]) > generation then return LOST end
count_token(tonumber(ARGV[2]), ARGV[3])
return 1
