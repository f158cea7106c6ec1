/**
 * Locks, by the rules of `common/lock-rules.ts`. A lock is one string: a letter, and packed the moment when the last claim of
 * its queue ends (0 without a queue), its holds (owner, mode, grant, end, info for each) and its marks (owner, end). While
 * somebody waits there are three more keys beside it: the order of arrival, the ends of the claims, and what each waits for. All
 * of them expire with their last part. Moments are microseconds of the server.
 */
export const locks = `
local pack, unpack = cmsgpack.pack, cmsgpack.unpack

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

local function load(key)
  local stored = call('GET', key)
  if not stored then return { key = key, q = 0, holds = {}, marks = {} } end
  if byte(stored) ~= 76 then foreign() end
  local q, holds, marks = unpack(sub(stored, 2))
  alive(holds, 5, 3)
  alive(marks, 2, 1)
  return { key = key, q = q > now and q or 0, holds = holds, marks = marks }
end

local function save(lock)
  local ends, holds, marks = lock.q, lock.holds, lock.marks
  for i = 4, #holds, 5 do if holds[i] > ends then ends = holds[i] end end
  for i = 2, #marks, 2 do if marks[i] > ends then ends = marks[i] end end
  if ends == 0 then
    call('DEL', lock.key)
  else
    call('SET', lock.key, 'L' .. pack(lock.q, holds, marks), 'PXAT', format('%.0f', ceil(ends / 1000)))
  end
end

local function queueOf(lock)
  if not lock.order then
    local key = lock.key
    local brace = string.find(key, '{', 1, true)
    local before, after = sub(key, 1, brace - 1), sub(key, brace)
    lock.order, lock.claims, lock.waiters = before .. 'q' .. after, before .. 'd' .. after, before .. 'w' .. after
  end
end

local function leave(lock, owner)
  call('ZREM', lock.order, owner)
  call('ZREM', lock.claims, owner)
  call('HDEL', lock.waiters, owner)
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

-- Drops dead waiters and hands the lock to those at the head whom it fits; whether that changed the lock.
local function settle(lock)
  if lock.q == 0 then return false end
  queueOf(lock)
  for _, owner in ipairs(call('ZRANGEBYSCORE', lock.claims, '-inf', format('%.0f', now))) do leave(lock, owner) end
  local turn
  while true do
    local head = call('ZRANGE', lock.order, 0, 0)[1]
    if not head then
      lock.q = 0
      return true
    end
    local waiter = call('HGET', lock.waiters, head)
    if not waiter then
      leave(lock, head)
    else
      local mode, limit, claim, channel, info = unpack(waiter)
      if not fits(lock.holds, mode, limit) then break end
      leave(lock, head)
      grantTo(lock, head, mode, now + claim * 1000, info)
      if not turn or claim < turn then turn = claim end
      attempt('PUBLISH', channel, #head .. ':' .. head .. lock.key)
    end
  end
  -- Somebody is still behind a grant that may never be confirmed: who made it looks again when its claim has ended.
  lock.turn = turn or lock.turn
  return turn ~= nil
end

local function look(key)
  local lock = load(key)
  if settle(lock) then save(lock) end
  return lock
end

local function stateOf(lock, ahead)
  local state = { lock.turn or 0, ahead, lock.q > 0 and call('ZCARD', lock.order) or 0 }
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
  if lock.q == 0 then call('DEL', lock.order, lock.claims, lock.waiters) end
  if not isThere then call('ZADD', lock.order, format('%.0f', nextGrant()), owner) end
  local ends = now + claim * 1000
  call('ZADD', lock.claims, format('%.0f', ends), owner)
  call('HSET', lock.waiters, owner, pack(mode, limit or false, claim, args[1], info))
  if ends > lock.q then
    lock.q = ends
    local ms = format('%.0f', ceil(ends / 1000))
    call('PEXPIREAT', lock.order, ms)
    call('PEXPIREAT', lock.claims, ms)
    call('PEXPIREAT', lock.waiters, ms)
    save(lock)
  end
end

width.A = 7
check.A = function(i, key)
  local owner, mode, limit, claim, info = args[i + 1], args[i + 2], tonumber(args[i + 3]), tonumber(args[i + 5]), args[i + 6]
  local ends = now + args[i + 4] * 1000
  local lock = look(key)
  if find(lock.marks, 2, owner) then return nil, FENCED end
  n = n + 1
  local place, at = n, find(lock.holds, 5, owner)
  if at then
    return function()
      lock.holds[at + 3], lock.holds[at + 4] = ends, info
      save(lock)
      out[place] = lock.holds[at + 2]
    end
  end
  local rank = lock.q > 0 and call('ZRANK', lock.order, owner)
  local ahead = lock.q == 0 and 0 or rank or call('ZCARD', lock.order)
  if ahead > 0 or not fits(lock.holds, mode, limit) then
    if claim then enqueue(lock, owner, rank, mode, limit, claim, info) end
    return nil, HELD, stateOf(lock, ahead)
  end
  return function()
    if rank then leave(lock, owner) end
    out[place] = grantTo(lock, owner, mode, ends, info)
    settle(lock)
    save(lock)
  end
end

width.E = 5
check.E = function(i, key)
  local owner, grant, ends, raise = args[i + 1], tonumber(args[i + 2]), now + args[i + 3] * 1000, tonumber(args[i + 4])
  local lock = load(key)
  local at = find(lock.holds, 5, owner)
  if not at or lock.holds[at + 2] ~= grant then return nil, FENCED end
  n = n + 1
  local place = n
  return function()
    if raise and raise > grant then
      grant = raise
      readClock()
      if grant > clock then clock = grant end
    end
    lock.holds[at + 2], lock.holds[at + 3] = grant, ends
    save(lock)
    out[place] = grant
  end
end

width.L = 3
check.L = function(i, key)
  local owner, mark = args[i + 1], tonumber(args[i + 2])
  local lock = load(key)
  n = n + 1
  local place = n
  return function()
    local at, changed = find(lock.holds, 5, owner), false
    if at then
      for _ = 1, 5 do table.remove(lock.holds, at) end
      changed = true
    elseif lock.q > 0 then
      queueOf(lock)
      leave(lock, owner)
    end
    if mark then
      local ends, marked = now + mark * 1000, find(lock.marks, 2, owner)
      marked = marked or #lock.marks + 1
      lock.marks[marked] = owner
      if ends > (lock.marks[marked + 1] or 0) then lock.marks[marked + 1] = ends end
      changed = true
    end
    if settle(lock) or changed then save(lock) end
    out[place] = (at and 1 or 0) + 2 * (lock.turn or 0)
  end
end

width.T = 1
check.T = function(i, key)
  local lock = look(key)
  local before = stateOf(lock, 0)
  n = n + 1
  out[n] = before
  if #lock.holds == 0 then return end
  return function()
    lock.holds = {}
    nextGrant()
    settle(lock)
    save(lock)
    before[1] = lock.turn or 0
  end
end

width.I = 1
check.I = function(i, key)
  n = n + 1
  local place = n
  out[place] = stateOf(look(key), 0)
end

width.G = 3
check.G = function(i, key)
  local lock = load(key)
  local at = find(lock.holds, 5, args[i + 1])
  if not at or lock.holds[at + 2] ~= tonumber(args[i + 2]) then return nil, FENCED end
end
`;
