import { ending, reply } from "./opcodes.ts";

/**
 * What all parts of the script stand on. The first argument is the channel of the session that calls, the first key the
 * clock; then come groups, which take their keys in order (see `groups.ts`). Defining a function costs every call as
 * much as a command does, so most are defined when they are first needed.
 */
export const base = `
local call, keys, args, last = redis.call, KEYS, ARGV, #ARGV
local sub, byte, char, format, floor = string.sub, string.byte, string.char, string.format, math.floor
local time = call('TIME')
local now = time[1] * 1000000 + time[2]

-- Why a group is refused.
local CONFLICT, FENCED, HELD = ${reply.conflict}, ${reply.fenced}, ${reply.held}

-- The reply, the next argument and the next key.
local out, n, a, k = {}, 0, 2, 2
-- The group at hand: its place in the reply, its first argument and key, whether it is being applied, whether that, or
-- a look at a lock before, has changed anything yet.
local place, start, startKey, applying, wrote
-- The clock, as it is and as it was; the first grant of the call, as a number and as a lock has it.
local clock, clockStored, from, fromText
-- How long acquires hold, and wait if they do.
local ttl, claim
-- A lock that was just handed on, and what it is now: the acquire of the next contender of the same process often comes
-- behind.
local passedKey, passed
-- What is defined, or was read, when it was first needed.
local isCurrent, stamps, endings, check, width, acquire, release, extend

-- A moment or a grant as text, in halves: '%d' of the whole is wrong where a long of C has 32 bits, and '%.0f' takes
-- twice as long.
local function digits(n)
  local low = n % 100000000
  return format('%d%08d', (n - low) / 100000000, low)
end
`;

/**
 * Draws the next grant. The clock is the highest that was ever given in its place, read when the first is drawn, and
 * written once at the end: so a lock needs no record when nobody holds it, and grants rise although the server's clock
 * may step back.
 */
export const draw = `
if not clock then
  clockStored = tonumber(call('GET', keys[1]) or 0)
  clock = clockStored
end
clock = clock + 1
if clock < now then clock = now end
`;

/**
 * Makes `grant` the first part of a lock as most are: 'X', the grant as one number of the call and two bytes more. Then
 * come the length of the owner (below 128), owner, info. It has one exclusive holder, no queue and no marks, and ends
 * with its key.
 */
export const stampGrant = `
local more = from and grant - from
if not more or more < 0 or more > 65535 then
  from, fromText, more = grant, 'X' .. digits(grant), 0
end
`;

/**
 * Makes `ends` the moment when what `lasts` so many ms from now ends, as 13 digits. After `ending.at` stands the moment
 * itself; one that is past is ''.
 */
export const endTtl = `
if not endings then endings = {} end
ends = endings[lasts]
if not ends then
  if byte(lasts) == ${ending.at.charCodeAt(0)} then
    ends = sub(lasts, 2)
    if tonumber(ends) * 1000 <= now then ends = '' end
  else
    ends = floor(now / 1000) + lasts
    if ends > 9999999999999 then ends = 9999999999999 end
    ends = digits(ends)
  end
  endings[lasts] = ends
end
`;

/** Makes `head` what is stored under `key` up to where its value begins, or more; '' for a key that is not there. */
export const readHead = `
head = call('GETRANGE', key, 0, 84)
local flags = byte(head)
if flags and flags >= 72 and flags <= 79 then
  local at = byte(head, 2) - 30
  if flags % 8 >= 4 then at = at + 13 end
  local size = tonumber(sub(head, at + 1, at + 6))
  if size and at + 6 + size > #head then head = call('GETRANGE', key, 0, at + 5 + size) end
end
`;

/**
 * Gives the record of `key`, which begins with `head`, the end `ends`: 13 digits, '' for one that is past, nil for
 * never.
 */
export const moveEnd = `
local flags, at = byte(head), byte(head, 2) - 30
if ends == '' then
  call('DEL', key)
elseif ends and flags % 8 >= 4 then
  call('SETRANGE', key, at, ends)
  applying, wrote = true, true
  call('PEXPIREAT', key, ends)
elseif ends or flags % 8 >= 4 then
  local whole = call('GET', key)
  if ends then
    call('SET', key, char(flags + 4) .. sub(whole, 2, at) .. ends .. sub(whole, at + 1), 'PXAT', ends)
  else
    call('SET', key, char(flags - 4) .. sub(whole, 2, at) .. sub(whole, at + 14))
  end
end
`;

/** Defines whether the stamps that a record names are current. */
export const defineCurrent = `
if not isCurrent then
  stamps = {}
  isCurrent = function(record)
    local flags = byte(record) - 64
    -- What is no record is for the reader to tell.
    if flags < 8 or flags > 15 then return true end
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
        id = head ~= '' and sub(head, 3, byte(head, 2) - 30)
        stamps[key] = id
      end
      if id ~= sub(record, at + 1, at + idSize) then return false end
      at = at + 1 + idSize
    end
    return true
  end
end
`;
