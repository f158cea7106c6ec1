import { draw, stampGrant } from "./base.ts";
import { queueNames, readQueued } from "./queued.ts";

/**
 * Locks, by the rules of `common/lock-rules.ts`. A lock that is not as simple as `stampGrant` in `base.ts` or
 * `queued.ts` says is 'L', and packed the moment when the last claim of its queue ends (0 without a queue), its holds
 * (owner, mode, grant, end, info for each) and its marks (owner, end). While somebody waits there are two more keys
 * beside it: the order of arrival, and what each waits for and until when. All of them expire with their last part.
 * Moments are microseconds of the server.
 */
export const lockState = `
local spread = table.unpack or unpack
local pack, unpack, ceil = cmsgpack.pack, cmsgpack.unpack, math.ceil

local function nextGrant()
  ${draw}
  return clock
end

local function single(grant, owner, info)
  local size = #owner
  ${stampGrant}
  return fromText .. char(floor(more / 256), more % 256, size) .. owner .. info
end

local function alive(list, size, at)
  local kept = 0
  for i = 1, #list, size do
    if list[i + at] > now then
      if kept + 1 < i then
        for j = 0, size - 1 do list[kept + 1 + j] = list[i + j] end
      end
      kept = kept + size
    end
  end
  for i = #list, kept + 1, -1 do list[i] = nil end
end

local function find(list, size, owner)
  for i = 1, #list, size do
    if list[i] == owner then return i end
  end
end

local function load(key, stored)
  if stored == nil then stored = call('GET', key) end
  local lock = { key = key, q = 0, holds = {}, marks = {} }
  if not stored then return lock end
  local letter = byte(stored)
  if letter == 88 and #stored > 19 then
    local high, low, size = byte(stored, 18, 20)
    local stop = 20 + size
    local ends = now + call('PTTL', key) * 1000
    if ends > now then
      lock.holds = { sub(stored, 21, stop), 'x', sub(stored, 2, 17) + high * 256 + low, ends, sub(stored, stop + 1) }
    end
    return lock
  end
  if letter == 81 and #stored >= 50 then
    ${readQueued}
    if ends > now then
      lock.holds = { holder, 'x', tonumber(sub(stored, 2, 17)), ends, sub(stored, 51 + size) }
    end
    if q > now then lock.q = q end
    return lock
  end
  if letter ~= 76 then foreign() end
  local q, holds, marks = unpack(sub(stored, 2))
  alive(holds, 5, 3)
  alive(marks, 2, 1)
  if q > now then lock.q = q end
  lock.holds, lock.marks = holds, marks
  return lock
end

local function save(lock)
  local ends, holds, marks = lock.q, lock.holds, lock.marks
  for i = 4, #holds, 5 do if holds[i] > ends then ends = holds[i] end end
  for i = 2, #marks, 2 do if marks[i] > ends then ends = marks[i] end end
  wrote = true
  if ends == 0 then
    call('DEL', lock.key)
  elseif #marks == 0 and #holds == 5 and holds[2] == 'x' and #holds[1] < 128 then
    local q, grant, owner, info = lock.q, holds[3], holds[1], holds[5]
    if q == 0 then
      call('SET', lock.key, single(grant, owner, info), 'PXAT', digits(floor(ends / 1000)))
    else
      local head = 'Q' .. digits(grant) .. digits(holds[4]) .. digits(q)
      call('SET', lock.key, head .. char(#owner) .. owner .. info, 'PXAT', digits(ceil(ends / 1000)))
    end
  else
    call('SET', lock.key, 'L' .. pack(lock.q, holds, marks), 'PXAT', digits(ceil(ends / 1000)))
  end
end

local function queueOf(lock)
  if not lock.order then
    local key = lock.key
    ${queueNames}
    lock.order, lock.waiters = order, waiters
  end
end

-- The keys of a queue go with the last who leaves it. On a node that hands its slot over, a key that is not there is
-- refused, so those of a queue that is known to be empty are not touched.
local function waitingFor(lock)
  if lock.q == 0 then return 0 end
  if not lock.waiting then
    queueOf(lock)
    lock.waiting = call('ZCARD', lock.order)
  end
  return lock.waiting
end

-- Takes owners out of a queue that others than these may be in. The key that was perhaps not read comes first: if that
-- is refused, nothing has changed.
local function leave(lock, owners)
  for i = 1, #owners, 1000 do
    local j = math.min(i + 999, #owners)
    call('HDEL', lock.waiters, spread(owners, i, j))
    wrote = true
    if lock.waiting > 0 then lock.waiting = lock.waiting - call('ZREM', lock.order, spread(owners, i, j)) end
  end
end

local function fits(holds, mode, limit)
  if #holds == 0 then return not limit or limit > 0 end
  return mode == 's' and holds[2] == 's' and (not limit or #holds / 5 < limit)
end

local function grantTo(lock, owner, mode, ends, info)
  local holds = lock.holds
  local at = #holds
  local grant = nextGrant()
  holds[at + 1], holds[at + 2], holds[at + 3], holds[at + 4], holds[at + 5] = owner, mode, grant, ends, info
  return grant
end

-- Drops those whose claim has ended. Of a long queue it looks at a part only, another one each time: all who live
-- refresh their claims, and each of them that does so looks, so that the dead are found within few claims, and at the
-- head at once. The part may hang over either end, so that all places are as likely to be looked at.
local function reap(lock)
  local from = lock.waiting > 16 and now % (lock.waiting + 15) - 15 or 0
  local owners, dead = call('ZRANGE', lock.order, math.max(from, 0), from + 15), {}
  local waiters = call('HMGET', lock.waiters, spread(owners))
  for i = 1, #owners do
    local waiter = waiters[i]
    if not waiter or select(6, unpack(waiter)) <= now then dead[#dead + 1] = owners[i] end
  end
  if #dead > 0 then leave(lock, dead) end
end

-- Drops dead waiters and hands the lock to those at the head whom it fits; whether that changed the lock.
local function settle(lock)
  if lock.q == 0 then return false end
  if waitingFor(lock) > 0 then reap(lock) end
  local heads, tell, passedFor, changed = {}, {}
  -- Nobody fits beside an exclusive holder.
  while lock.holds[2] ~= 'x' and #heads < waitingFor(lock) do
    local head = call('ZRANGE', lock.order, #heads, #heads)[1]
    if not head then break end
    local waiter = call('HGET', lock.waiters, head)
    local mode, limit, claim, channel, info, wanted
    if waiter then mode, limit, claim, channel, info, wanted = unpack(waiter) end
    if wanted and wanted > now then
      if not fits(lock.holds, mode, limit) then break end
      local grant = grantTo(lock, head, mode, now + claim * 1000, info)
      if not passedFor or claim < passedFor then passedFor = claim end
      tell[#tell + 1] = channel
      tell[#tell + 1] = digits(grant) .. format(':%d:', #head) .. head .. lock.key
    end
    heads[#heads + 1] = head
  end
  if #heads > 0 then
    leave(lock, heads)
    for i = 1, #tell, 2 do redis.pcall('PUBLISH', tell[i], tell[i + 1]) end
    changed = true
  end
  if lock.waiting == 0 then
    lock.q = 0
    changed = true
  end
  -- Somebody is still behind a grant that may never be confirmed: who made it looks again when its claim has ended.
  lock.passedFor = passedFor or lock.passedFor
  return changed
end

local function look(lock)
  if settle(lock) then save(lock) end
  return lock
end

local function stateOf(lock, ahead, waiting)
  local state = { lock.passedFor or 0, ahead, waiting }
  local holds = lock.holds
  for i = 1, #holds, 5 do
    local at = #state
    state[at + 1], state[at + 2], state[at + 3] = holds[i], holds[i + 1], holds[i + 2]
    state[at + 4], state[at + 5] = ceil((holds[i + 3] - now) / 1000), holds[i + 4]
  end
  return state
end

local function enqueue(lock, owner, isThere, mode, limit, claim, info)
  queueOf(lock)
  local ends = now + claim * 1000
  -- First, for it may be refused: the others were read, or would be refused as well.
  call('HSET', lock.waiters, owner, pack(mode, limit or false, claim, args[1], info, ends))
  applying, wrote = true, true
  if not isThere then call('ZADD', lock.order, digits(nextGrant()), owner) end
  if ends > lock.q then
    -- Further than this claim, so that not every one that comes after it moves the end of all that is kept.
    lock.q = ends + claim * 1000
    local ms = digits(ceil(lock.q / 1000))
    call('PEXPIREAT', lock.order, ms)
    call('PEXPIREAT', lock.waiters, ms)
    save(lock)
  end
end
`;
