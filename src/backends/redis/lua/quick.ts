import { defineCurrent, draw, endTtl, moveEnd, readGiven, readHead, stampGrant } from "./base.ts";
import { quickAcquire, quickRelease } from "./queued.ts";

/**
 * The groups that most are: of one plain operation, with as few commands as can be. Each small letter stands for a whole group.
 * `slow` stays true where it turns out not to be so simple, and nothing was written.
 */
export const quick = `
if letter == 'a' then
  -- Acquires: length of the owner, owner, info. A lock that nobody holds, waits for or is kept from has no key.
  step = 2
  if key == passedKey then
    stored, passedKey = passed, nil
  else
    local drawnBefore = clock
    ${draw}
    local grant = clock
    ${stampGrant}
    if call('SET', key, fromText .. char((more - more % 256) / 256, more % 256) .. args[a + 1], 'NX', 'PX', ttl) then
      n = n + 1
      out[n] = grant
      slow = false
    else
      clock = drawnBefore or clockStored
      stored = call('GET', key)
    end
  end
  if stored and byte(stored) == 81 and #stored >= 50 then
    ${quickAcquire}
  end
elseif letter == 'l' or letter == 'e' then
  -- Releases: owner. Extends: owner, grant, ttl.
  step = letter == 'l' and 2 or 4
  stored = call('GET', key)
  local owner = args[a + 1]
  if not stored then
    n = n + 1
    if letter == 'l' then out[n] = 0 else out[place], out[n] = FENCED, 1 end
    slow = false
  elseif byte(stored) == 88 and sub(stored, 21, 20 + #owner) == owner then
    local high, low, size = byte(stored, 18, 20)
    if size == #owner then
      if letter == 'l' then
        call('DEL', key)
        n = n + 1
        out[n] = 1
        slow = false
      else
        local grant = tonumber(args[a + 2])
        if sub(stored, 2, 17) + high * 256 + low == grant then
          call('PEXPIRE', key, args[a + 3])
          n = n + 1
          out[n] = grant
          slow = false
        end
      end
    end
  elseif letter == 'l' and byte(stored) == 81 and #stored >= 50 then
    ${quickRelease}
  end
elseif letter == 'p' then
  -- Puts a record that ends: ttl, head, tail.
  step = 4
  local lasts, ends = args[a + 1]
  ${endTtl}
  if ends == '' then call('DEL', key) else call('SET', key, args[a + 2] .. ends .. args[a + 3], 'PXAT', ends) end
  slow = false
elseif letter == 'c' then
  -- Compares and sets: '-' for absent or '=' and the id, record.
  step = 3
  local condition, head = args[a + 1], call('GETRANGE', key, 0, 65)
  local holds = head == ''
  if condition ~= '-' then holds = not holds and sub(head, 3, byte(head, 2) - 30) == sub(condition, 2) end
  if holds then
    call('SET', key, args[a + 2])
  else
    out[place], out[n + 1], out[n + 2] = CONFLICT, 1, call('GET', key)
    n = n + 2
  end
  slow = false
elseif letter == 'v' then
  -- Reads a record with its stamps.
  step = 1
  local record = call('GET', key)
  ${defineCurrent}
  n = n + 1
  out[n] = record and isCurrent(record) and record
  slow = false
elseif letter == 'h' or letter == 'u' then
  -- Reads a record without its value: 's' if its stamps are to be current. Touches one: the same, ttl.
  step = letter == 'h' and 2 or 3
  local head
  ${readHead}
  local there = head ~= ''
  if there and args[a + 1] == 's' then
    ${defineCurrent}
    there = isCurrent(head)
  end
  if letter == 'h' then
    n = n + 1
    out[n] = there and head
    slow = false
  elseif not there then
    n = n + 1
    out[n] = 0
    slow = false
  elseif byte(head) >= 64 and byte(head) <= 79 then
    local lasts, ends = args[a + 2]
    if lasts ~= '' then
      ${endTtl}
    end
    ${moveEnd}
    n = n + 1
    out[n] = 1
    slow = false
  end
elseif letter == 'd' then
  -- Deletes: what to give, as readGiven has it.
  step = 2
  local mode, given = args[a + 1]
  if mode ~= '' then
    ${readGiven}
  end
  if mode == '' or given ~= nil then
    local count = call('DEL', key)
    n = n + 1
    if given == nil then out[n] = count else out[n] = given end
    slow = false
  end
end
`;

/** How far each of them reaches, for when it has failed. */
export const quickSteps = "{ a = 2, l = 2, e = 4, p = 4, c = 3, v = 1, h = 2, u = 3, d = 2 }";
