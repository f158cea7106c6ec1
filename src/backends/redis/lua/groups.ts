/**
 * Runs the groups of a call: a small letter is one (see `quick.ts`), any other begins with how many elements it has, each a letter
 * with a fixed number of arguments and one key. Everything of a group is checked before anything of it is written, for a script
 * that fails keeps what it wrote. A group's error is its own.
 *
 * The reply is flat: for each group 0 and one value for each operation that has one, or why it was refused (1 to 3), at which
 * element, and with what; 4 and an error before the first write, 5 and one after.
 */
export const groups = `
local start, startKey, place, applying

local function group(count)
  local first, rest
  for i = 1, count do
    local letter = args[a]
    local apply, why, with = check[letter](a, keys[k])
    if why then
      -- What is not looked at any more is stepped over.
      for _ = i, count do
        a = a + width[args[a]]
        k = k + 1
      end
      n = place + 1
      out[place], out[n] = why, i
      if why ~= FENCED then
        n = n + 1
        out[n] = with
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
  if rest then for i = 1, #rest do rest[i]() end end
end

local function groups()
  while a <= last do
    start, startKey, place, applying = a, k, n + 1, false
    local letter = args[a]
    local known = quick[letter]
    if known then
      known(keys[k])
      a = a + quickWidth[letter]
      k = k + 1
    else
      prepare()
      n = place
      out[n] = 0
      a = a + 1
      group(tonumber(letter))
    end
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
    n = place + 1
    out[place], out[n] = applying and 5 or 4, message
    a, k = start, startKey
    local letter = args[a]
    if quick[letter] then
      a = a + quickWidth[letter]
      k = k + 1
    else
      a = a + 1
      for _ = 1, tonumber(letter) do
        a = a + width[args[a]]
        k = k + 1
      end
    end
  end
end
out[n + 1] = nil
-- A server without memory refuses this only if it has refused every grant before.
if clock and clock ~= clockStored then attempt('SET', keys[1], format('%.0f', clock)) end
return out
`;
