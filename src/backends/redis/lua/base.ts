/**
 * What all parts of the script stand on. A call carries groups: for each how many elements it has, then the elements, each a
 * letter with a fixed number of arguments and one key. The clock's key comes first, and before all else the channel of the
 * session that calls.
 *
 * The clock is the highest grant ever given in its place. It is read when the first grant is drawn, and written once at the end:
 * so a lock needs no record of its own when nobody holds it, and grants rise although the server's clock may step back.
 */
export const base = `
local call, attempt = redis.call, redis.pcall
local keys, args = KEYS, ARGV
local sub, byte, char, format = string.sub, string.byte, string.char, string.format
local floor, ceil = math.floor, math.ceil
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local nowMs = floor(now / 1000)

local CONFLICT, FENCED, HELD = 1, 2, 3

local function foreign()
  error({ err = 'FOREIGN this key holds something else' })
end

local out, n = {}, 0
local check = {}
local width = {}

local clock, clockStored
local function readClock()
  if not clock then
    clock = tonumber(call('GET', keys[1]) or 0)
    clockStored = clock
  end
end
local function nextGrant()
  readClock()
  clock = clock + 1
  if clock < now then clock = now end
  return clock
end
`;
