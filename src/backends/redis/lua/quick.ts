/**
 * The groups that most are: of one operation, plain, with as few calls as can be. Each small letter stands for a whole group.
 * What turns out not to be so simple goes the general way.
 */
export const quick = `
local quickWidth = { a = 4, l = 2, e = 4, p = 4, c = 3, v = 1 }
local quick = {}

local function conclude(apply, why, with)
  if why then
    out[n], out[n + 1] = why, 1
    n = n + 1
    if why ~= FENCED then
      n = n + 1
      out[n] = with
    end
  elseif apply then
    apply()
  end
end

-- Acquires: owner, ttl, info.
quick.a = function(key)
  local owner, ttl, info = args[a + 1], args[a + 2], args[a + 3]
  local grant = nextGrant()
  n = n + 1
  out[n] = 0
  if call('SET', key, single(grant, owner, info), 'NX', 'PX', ttl) then
    n = n + 1
    out[n] = grant
  else
    prepare()
    local place = n
    local apply, why, with = acquire(key, owner, 'x', nil, ttl, nil, info)
    if why then n = place end
    conclude(apply, why, with)
  end
end

-- Releases: owner.
quick.l = function(key)
  local owner = args[a + 1]
  local stored = call('GET', key)
  n = n + 1
  out[n] = 0
  if not stored then
    n = n + 1
    out[n] = 0
  elseif isOf(stored, owner) then
    call('DEL', key)
    n = n + 1
    out[n] = 1
  else
    prepare()
    conclude(release(key, owner, nil, stored))
  end
end

-- Extends: owner, grant, ttl.
quick.e = function(key)
  local owner, grant, ttl = args[a + 1], tonumber(args[a + 2]), args[a + 3]
  local stored = call('GET', key)
  n = n + 1
  out[n] = 0
  if not stored then
    conclude(nil, FENCED)
  elseif isOf(stored, owner) and grantOf(stored) == grant then
    call('PEXPIRE', key, ttl)
    n = n + 1
    out[n] = grant
  else
    prepare()
    conclude(extend(key, owner, grant, ttl, nil, stored))
  end
end

-- Puts a record with a ttl: ttl, head, tail.
quick.p = function(key)
  local ends = ending(args[a + 1])
  call('SET', key, args[a + 2] .. ends .. args[a + 3], 'PXAT', ends)
  n = n + 1
  out[n] = 0
end

-- Compares and sets: condition, record.
quick.c = function(key)
  n = n + 1
  out[n] = 0
  if holds(call('GETRANGE', key, 0, 65), args[a + 1]) then
    call('SET', key, args[a + 2])
  else
    conclude(nil, CONFLICT, call('GET', key))
  end
end

-- Reads a record with its stamps.
quick.v = function(key)
  local record = call('GET', key)
  out[n + 1], out[n + 2] = 0, record and isCurrent(record) and record
  n = n + 2
end
`;
