import { element } from "./opcodes.ts";

/**
 * Operations on locks. Each check looks at its lock, which hands it on if that is due whatever becomes of the group,
 * and returns what applies the operation, or why the group is refused.
 */
export const locks = `
acquire = function(key, owner, mode, limit, ttl, claim, info, stored)
  local ends = now + ttl * 1000
  local lock = load(key, stored)
  -- A grant that is confirmed, mostly; nobody else could come in.
  if lock.holds[1] ~= owner or lock.holds[2] ~= 'x' then look(lock) end
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
  local waiting = waitingFor(lock)
  local rank = waiting > 0 and call('ZRANK', lock.order, owner)
  local ahead = rank or waiting
  if ahead > 0 or not fits(lock.holds, mode, limit) then
    if claim then
      -- An empty queue has no keys, and so no end.
      if waiting == 0 then lock.q = 0 end
      enqueue(lock, owner, rank, mode, limit, claim, info)
    end
    return nil, HELD, stateOf(lock, ahead, waiting + (claim and not rank and 1 or 0))
  end
  return function()
    if rank then leave(lock, { owner }) end
    out[place] = grantTo(lock, owner, mode, ends, info)
    settle(lock)
    save(lock)
  end
end

extend = function(key, owner, grant, ttl, raise, stored)
  local lock = load(key, stored)
  local at = find(lock.holds, 5, owner)
  if not at or lock.holds[at + 2] ~= grant then return nil, FENCED end
  n = n + 1
  local place = n
  return function()
    if raise and raise > grant then
      grant = raise
      nextGrant()
      if grant > clock then clock = grant end
    end
    lock.holds[at + 2], lock.holds[at + 3] = grant, now + ttl * 1000
    save(lock)
    out[place] = grant
  end
end

release = function(key, owner, mark, stored)
  local lock = load(key, stored)
  n = n + 1
  local place = n
  return function()
    local at, changed = find(lock.holds, 5, owner), false
    if at then
      for _ = 1, 5 do table.remove(lock.holds, at) end
      changed = true
    elseif waitingFor(lock) > 0 then
      leave(lock, { owner })
    end
    if mark then
      local ends, marked = now + mark * 1000, find(lock.marks, 2, owner)
      marked = marked or #lock.marks + 1
      lock.marks[marked] = owner
      if ends > (lock.marks[marked + 1] or 0) then lock.marks[marked + 1] = ends end
      changed = true
    end
    if settle(lock) or changed then save(lock) end
    out[place] = (at and 1 or 0) + 2 * (lock.passedFor or 0)
  end
end

check.${element.acquire} = function(i, key)
  local limit, claim = tonumber(args[i + 3]), tonumber(args[i + 5])
  return acquire(key, args[i + 1], args[i + 2], limit, args[i + 4], claim, args[i + 6])
end

check.${element.extend} = function(i, key)
  return extend(key, args[i + 1], tonumber(args[i + 2]), args[i + 3], tonumber(args[i + 4]))
end

check.${element.release} = function(i, key)
  return release(key, args[i + 1], tonumber(args[i + 2]))
end

check.${element.steal} = function(i, key)
  local lock = look(load(key))
  local before = stateOf(lock, 0, waitingFor(lock))
  local owner = args[i + 1]
  local at = owner == '' and 1 or find(lock.holds, 5, sub(owner, 2))
  n = n + 1
  out[n] = before
  if not lock.holds[at] then return end
  return function()
    if owner == '' then
      lock.holds = {}
    else
      for _ = 1, 5 do table.remove(lock.holds, at) end
    end
    lock.waiting = nil
    nextGrant()
    settle(lock)
    save(lock)
    before[1] = lock.passedFor or 0
  end
end

check.${element.inspect} = function(i, key)
  n = n + 1
  local place = n
  local lock = look(load(key))
  out[place] = stateOf(lock, 0, waitingFor(lock))
end

check.${element.guard} = function(i, key)
  local lock = load(key)
  local at = find(lock.holds, 5, args[i + 1])
  if not at or lock.holds[at + 2] ~= tonumber(args[i + 2]) then return nil, FENCED end
end
`;
