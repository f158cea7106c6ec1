import { defineCurrent, draw, endTtl, moveEnd, readHead, stampGrant } from "./base.ts";
import { condition, ending, quickly, stamping, width, widthTable } from "./opcodes.ts";
import { quickAcquire, quickRelease } from "./queued.ts";

/**
 * The groups that most are: of one plain operation, with as few commands as can be. Each small letter stands for a
 * whole group. `slow` stays true where it turns out not to be so simple, and nothing was written.
 */
export const quick = `
if letter == '${quickly.acquire}' then
  -- Acquires: length of the owner, owner, info. A lock that nobody holds, waits for or is kept from has no key.
  step = ${width(quickly.acquire)}
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
elseif letter == '${quickly.release}' or letter == '${quickly.extend}' then
  -- Releases: owner. Extends: owner, grant, ttl.
  step = letter == '${quickly.release}' and ${width(quickly.release)} or ${width(quickly.extend)}
  stored = call('GET', key)
  local owner = args[a + 1]
  if not stored then
    n = n + 1
    if letter == '${quickly.release}' then out[n] = 0 else out[place], out[n] = FENCED, 1 end
    slow = false
  elseif byte(stored) == 88 and sub(stored, 21, 20 + #owner) == owner then
    local high, low, size = byte(stored, 18, 20)
    if size == #owner then
      if letter == '${quickly.release}' then
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
  elseif letter == '${quickly.release}' and byte(stored) == 81 and #stored >= 50 then
    ${quickRelease}
  end
elseif letter == '${quickly.put}' then
  -- Puts a record that ends: ending, head, tail.
  step = ${width(quickly.put)}
  local lasts, ends = args[a + 1]
  ${endTtl}
  if ends == '' then call('DEL', key) else call('SET', key, args[a + 2] .. ends .. args[a + 3], 'PXAT', ends) end
  slow = false
elseif letter == '${quickly.compareAndSet}' then
  -- Compares and sets: condition, record.
  step = ${width(quickly.compareAndSet)}
  local condition, head = args[a + 1], call('GETRANGE', key, 0, 65)
  local holds = head == ''
  if condition ~= '${condition.absent}' then
    holds = not holds and sub(head, 3, byte(head, 2) - 30) == sub(condition, 2)
  end
  if holds then
    call('SET', key, args[a + 2])
  else
    out[place], out[n + 1], out[n + 2] = CONFLICT, 1, call('GET', key)
    n = n + 2
  end
  slow = false
elseif letter == '${quickly.getStamped}' then
  -- Reads a record with its stamps.
  step = ${width(quickly.getStamped)}
  local record = call('GET', key)
  ${defineCurrent}
  n = n + 1
  out[n] = record and isCurrent(record) and record
  slow = false
elseif letter == '${quickly.head}' or letter == '${quickly.touch}' then
  -- Reads a record without its value: stamping. Touches one: stamping, ending.
  step = letter == '${quickly.head}' and ${width(quickly.head)} or ${width(quickly.touch)}
  local head
  ${readHead}
  local there = head ~= ''
  if there and args[a + 1] == '${stamping.current}' then
    ${defineCurrent}
    there = isCurrent(head)
  end
  if letter == '${quickly.head}' then
    n = n + 1
    out[n] = there and head
    slow = false
  elseif not there then
    n = n + 1
    out[n] = 0
    slow = false
  elseif byte(head) >= 64 and byte(head) <= 79 then
    local lasts, ends = args[a + 2]
    if lasts ~= '${ending.never}' then
      ${endTtl}
    end
    ${moveEnd}
    n = n + 1
    out[n] = 1
    slow = false
  end
elseif letter == '${quickly.delete}' then
  -- Deletes.
  step = ${width(quickly.delete)}
  n = n + 1
  out[n] = call('DEL', key)
  slow = false
end
`;

/** How far each of them reaches, for when it has failed. */
export const quickSteps = widthTable(quickly);
