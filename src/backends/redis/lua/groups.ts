/**
 * Runs the groups of a call: everything of a group is checked before anything of it is written, for a script that fails keeps
 * what it wrote. A group's error is its own. The reply is flat: for each group 0 and one value for each operation that has one,
 * or why it was refused (1 to 3), at which element, and with what; 4 and an error before the first write, 5 and one after.
 */
export const groups = `
local a, k, at, applying = 2, 2, 0, false

local function run(count)
  local first, rest
  for i = 1, count do
    at = i
    local letter = args[a]
    local apply, why, with = check[letter](a, keys[k])
    if why then return why, with end
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

local last = #args
while a <= last do
  local count = tonumber(args[a])
  a = a + 1
  n = n + 1
  local place = n
  out[place] = 0
  applying = false
  local ok, why, with = pcall(run, count)
  if not ok or why then
    if not applying then
      for _ = at, count do
        a = a + width[args[a]]
        k = k + 1
      end
    end
    n = place + 1
    if not ok then
      local message = type(why) == 'table' and why.err or tostring(why)
      -- Some versions put the place in the script before it.
      message = string.match(message, '%f[%u]%u%u[%u%d]+ .*') or message
      -- A replica writes nothing of any group, and what it reads may be old: the whole call has come to the wrong server.
      if sub(message, 1, 9) == 'READONLY ' then return { err = message } end
      out[place] = applying and 5 or 4
      out[n] = message
    else
      out[place] = why
      out[n] = at
      if why ~= FENCED then
        n = n + 1
        out[n] = with
      end
    end
  end
end
out[n + 1] = nil
-- A server without memory refuses this only if it has refused every grant before.
if clock and clock ~= clockStored then attempt('SET', keys[1], format('%.0f', clock)) end
return out
`;
