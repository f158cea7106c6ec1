/**
 * What all parts of the script stand on. The first argument is the channel of the session that calls, the first key the clock;
 * then come groups, which take their keys in order (see `groups.ts`).
 *
 * The clock is the highest grant ever given in its place. It is read when the first grant is drawn, and written once at the end:
 * so a lock needs no record of its own when nobody holds it, and grants rise although the server's clock may step back.
 */
export const base = `
local call, attempt = redis.call, redis.pcall
local keys, args, last = KEYS, ARGV, #ARGV
local sub, byte, char, format, floor = string.sub, string.byte, string.char, string.format, math.floor
local time = call('TIME')
local now = time[1] * 1000000 + time[2]

local CONFLICT, FENCED, HELD = 1, 2, 3

-- The reply, the next argument and the next key.
local out, n, a, k = {}, 0, 2, 2
-- Defined when they are first needed, for every function costs every call.
local check, width, acquire, release, extend, prepare

local clock, clockStored, from, fromText
local function readClock()
  if not clock then
    clockStored = tonumber(call('GET', keys[1]) or 0)
    clock = clockStored
  end
end
local function nextGrant()
  readClock()
  clock = clock + 1
  if clock < now then clock = now end
  return clock
end

-- A lock as most are: 'X', its grant as one number of the call and two bytes more, the length of the owner, owner, info. It has
-- one exclusive holder, no queue and no marks, and ends with its key.
local function single(grant, owner, info)
  local more = from and grant - from
  if not more or more < 0 or more > 65535 then
    from, fromText, more = grant, format('X%016.0f', grant), 0
  end
  local size = #owner
  return fromText .. char(floor(more / 256), more % 256, floor(size / 256), size % 256) .. owner .. info
end
local function isOf(stored, owner)
  local at, more, high, low = byte(stored, 1), 21, byte(stored, 20, 21)
  return at == 88 and low and high * 256 + low == #owner and sub(stored, 22, 21 + #owner) == owner
end
local function grantOf(stored)
  local high, low = byte(stored, 18, 19)
  return sub(stored, 2, 17) + high * 256 + low
end

local endings = {}
-- The end of a ttl that begins now, 13 digits.
local function ending(ttl)
  local ends = endings[ttl]
  if not ends then
    ends = floor(now / 1000) + ttl
    if ends > 9999999999999 then ends = 9999999999999 end
    ends = format('%013.0f', ends)
    endings[ttl] = ends
  end
  return ends
end

-- The id of a record whose first bytes these are.
local function idOf(head)
  return sub(head, 3, byte(head, 2) - 30)
end

local function holds(head, condition)
  if condition == '-' then return head == '' end
  return head ~= '' and idOf(head) == sub(condition, 2)
end

local stamps = {}
local function isCurrent(record)
  local flags = byte(record) - 64
  if flags < 8 then return true end
  local at = byte(record, 2) - 29
  if flags % 8 >= 4 then at = at + 13 end
  local stop = at + 6 + sub(record, at, at + 5)
  at = at + 6
  while at < stop do
    local size = tonumber(sub(record, at, at + 3))
    local key = sub(record, at + 4, at + 3 + size)
    at = at + 4 + size
    local idSize = byte(record, at) - 32
    local id = stamps[key]
    if id == nil then
      local head = call('GETRANGE', key, 0, 65)
      id = head ~= '' and idOf(head)
      stamps[key] = id
    end
    if id ~= sub(record, at + 1, at + idSize) then return false end
    at = at + 1 + idSize
  end
  return true
end
`;
