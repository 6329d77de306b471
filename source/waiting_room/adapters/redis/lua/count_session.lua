-- SPDX-License-Identifier: Apache-2.0
-- count_session: count an ended session once, and its token if that was not counted yet.
-- ARGV 1 generation   2 position   3 expires_at (s)   4 field: completed or abandoned
-- result: 1; 0 when the session is of an older generation
if not alive() then return LOST end
local generation = number('generation')
if tonumber(ARGV[1]) < generation then return 0 end
if tonumber(ARGV[1]) > generation then return LOST end
count_session(tonumber(ARGV[2]), ARGV[3], ARGV[4])
return 1
