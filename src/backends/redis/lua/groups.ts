import { element, mode, quickly, reply, width, widthTable } from "./opcodes.ts";
import { quick, quickSteps } from "./quick.ts";

/**
 * A group of several elements, or of one that is not plain: each a letter with a fixed number of arguments and one key.
 */
export const group = `
local function conclude(at, apply, why, with)
  if not why then
    applying = true
    return apply()
  end
  n = place + 1
  out[place], out[n] = why, at
  if why ~= FENCED then
    n = n + 1
    out[n] = with
  end
end

check[''] = function(count)
  local first, rest
  a = a + 1
  for i = 1, count do
    local letter = args[a]
    local apply, why, with = check[letter](a, keys[k])
    if why then
      conclude(i, nil, why, with)
      -- What is not looked at any more is stepped over.
      for _ = i, count do
        a = a + width[args[a]]
        k = k + 1
      end
      return
    end
    a = a + width[letter]
    k = k + 1
    if apply then
      if not first then first = apply
      elseif rest then rest[#rest + 1] = apply
      else rest = { apply } end
    end
  end
  applying = true
  if first then first() end
  wrote = true
  if rest then for i = 1, #rest do rest[i]() end end
end

check.${quickly.acquire} = function(key, stored)
  local what = args[a + 1]
  local stop = 1 + byte(what)
  local owner, info = sub(what, 2, stop), sub(what, stop + 1)
  conclude(1, acquire(key, owner, '${mode.exclusive}', nil, ttl, tonumber(claim), info, stored))
end
check.${quickly.release} = function(key, stored)
  conclude(1, release(key, args[a + 1], nil, stored))
end
check.${quickly.touch}, check.${quickly.delete} = foreign, foreign
check.${quickly.extend} = function(key, stored)
  conclude(1, extend(key, args[a + 1], tonumber(args[a + 2]), args[a + 3], nil, stored))
end
`;

/**
 * Runs the groups of a call, in the words of `opcodes.ts`: a small letter is a group (see `quick.ts`), any other begins
 * with how many elements it has. Everything of a group is checked before anything of it is written, for a script that
 * fails keeps what it wrote. A group's error is its own.
 *
 * The reply is flat: for each group `reply.done` and one value for each operation that has one, or why it was refused,
 * at which element, and with what, or an error.
 */
export const groups = (general: string): string => `
local function groups()
  -- Nearer than those of the script.
  local call, keys, args, out, sub, byte, char = call, keys, args, out, sub, byte, char
  while a <= last do
    if args[a] == '${quickly.times}' then
      ttl, claim = args[a + 1], args[a + 2]
      a = a + ${width(quickly.times)}
    end
    place, start, startKey, applying, wrote = n + 1, a, k, false, false
    n = place
    out[place] = ${reply.done}
    local letter, key, slow, step, stored = args[a], keys[k], true
    ${quick}
    if slow then
      passedKey = nil
      if not check then
        check, width = {}, ${widthTable(element)}
        ${general}
      end
      if step then check[letter](key, stored) else check[''](tonumber(letter)) end
    end
    if step then a, k = a + step, k + 1 end
  end
end

while a <= last do
  local ok, why = pcall(groups)
  if not ok then
    local message = type(why) == 'table' and why.err or tostring(why)
    -- Some versions put the place in the script before it.
    message = string.match(message, '%f[%u]%u%u[%u%d]+ .*') or message
    -- A replica writes nothing of any group, and what it reads may be old: the whole call has come to the wrong server.
    if sub(message, 1, 9) == 'READONLY ' then return { err = message } end
    -- Some keys of the slot are with another node by now, or none can be made here any more: later all of them are in
    -- one place.
    if place == 1 and not (applying and wrote)
      and (string.find(message, 'non local key', 1, true)
        or string.find(message, 'rehashing of the slot', 1, true)) then
      out = { err = 'TRYAGAIN ' .. message }
      break
    end
    n = place + 1
    out[place], out[n] = applying and ${reply.failedAfter} or ${reply.failedBefore}, message
    a, k = start, startKey
    local count = tonumber(args[a])
    if count then
      a = a + 1
      for _ = 1, count do
        a = a + width[args[a]]
        k = k + 1
      end
    else
      a = a + (${quickSteps})[args[a]]
      k = k + 1
    end
  end
end
if not out.err then out[n + 1] = nil end
-- A server without memory refuses this only if it has refused every grant before.
if clock and clock ~= clockStored then redis.pcall('SET', keys[1], digits(clock)) end
return out
`;
