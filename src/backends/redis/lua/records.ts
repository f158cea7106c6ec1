import { defineCurrent, endTtl, moveEnd, readHead } from "./base.ts";
import { condition, element, ending, stamping } from "./opcodes.ts";

/**
 * Records, as `record.ts` writes them: flags, length of the id, id, the moment it ends (13 digits, with flag 4), stamps
 * (with flag 8), payload. Each check changes nothing, and returns what applies the operation, or why the group is
 * refused.
 */
export const records = `
${defineCurrent}
local function holds(head, condition)
  if condition == '${condition.absent}' then return head == '' end
  return head ~= '' and sub(head, 3, byte(head, 2) - 30) == sub(condition, 2)
end

check.${element.get} = function(i, key)
  n = n + 1
  out[n] = call('GET', key)
end

check.${element.getStamped} = function(i, key)
  local record = call('GET', key)
  n = n + 1
  out[n] = record and isCurrent(record) and record
end

check.${element.head} = function(i, key)
  local head
  ${readHead}
  n = n + 1
  out[n] = head ~= '' and (args[i + 1] == '${stamping.any}' or isCurrent(head)) and head
end

check.${element.check} = function(i, key)
  if not holds(call('GETRANGE', key, 0, 65), args[i + 1]) then return nil, CONFLICT, call('GET', key) end
end

check.${element.set} = function(i, key)
  local condition, lasts, head, tail = args[i + 1], args[i + 2], args[i + 3], args[i + 4]
  local ends
  if condition ~= '${condition.none}' or lasts == '${ending.keep}' then
    local stored = call('GETRANGE', key, 0, 78)
    if condition ~= '${condition.none}' and not holds(stored, condition) then return nil, CONFLICT, call('GET', key) end
    if lasts == '${ending.keep}' and stored ~= '' and byte(stored) % 8 >= 4 then
      local at = byte(stored, 2) - 29
      ends = sub(stored, at, at + 12)
      head = char(byte(head) + 4) .. sub(head, 2)
    end
  end
  if lasts ~= '${ending.never}' and lasts ~= '${ending.keep}' then
    ${endTtl}
  end
  if not ends then return function() call('SET', key, head .. tail) end end
  if ends == '' then return function() call('DEL', key) end end
  return function() call('SET', key, head .. ends .. tail, 'PXAT', ends) end
end

check.${element.touch} = function(i, key)
  local condition, stamped, lasts = args[i + 1], args[i + 2], args[i + 3]
  local head, ends
  ${readHead}
  if condition ~= '${condition.none}' and not holds(head, condition) then return nil, CONFLICT, call('GET', key) end
  n = n + 1
  if head == '' or stamped == '${stamping.stale}' or stamped == '${stamping.current}' and not isCurrent(head) then
    out[n] = 0
    return
  end
  if byte(head) < 64 or byte(head) > 79 then foreign() end
  if lasts ~= '${ending.never}' then
    ${endTtl}
  end
  out[n] = 1
  return function()
    ${moveEnd}
  end
end

check.${element.delete} = function(i, key)
  local condition = args[i + 1]
  if condition ~= '${condition.none}' and not holds(call('GETRANGE', key, 0, 65), condition) then
    return nil, CONFLICT, call('GET', key)
  end
  n = n + 1
  local place = n
  return function() out[place] = call('DEL', key) end
end

check.${element.floor} = function(i, key)
  local grant, hand = tonumber(args[i + 1]), tonumber(args[i + 2])
  local ends = floor(now / 1000) + args[i + 3]
  local stored = call('GET', key)
  if stored then
    local g, h, e = string.match(stored, '^(%d+) (%d+) (%d+)$')
    if not g then foreign() end
    g, h, e = tonumber(g), tonumber(h), tonumber(e)
    if grant < g or (grant == g and hand < h) then return nil, FENCED end
    if e > ends then ends = e end
  end
  return function()
    call('SET', key, format('%.0f %.0f %.0f', grant, hand, ends), 'PXAT', format('%.0f', ends))
  end
end
`;
