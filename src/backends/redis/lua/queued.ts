import { draw, stampGrant } from "./base.ts";

/**
 * A lock that one exclusive holder has and others wait for, without marks, is 'Q', the grant, the moment when the hold
 * ends and the one when the last claim of the queue does (16 digits each), the length of the owner (below 128), owner,
 * info. That is what contended locks are, so that the quick ways below read and write it without the functions of
 * `lock-state.ts`. These are its parts in `stored`.
 */
export const readQueued = `
local q, ends, size = tonumber(sub(stored, 34, 49)), tonumber(sub(stored, 18, 33)), byte(stored, 50)
local holder = sub(stored, 51, 50 + size)
`;

/** The keys beside a lock while somebody waits for it. */
export const queueNames = `
local brace = string.find(key, '{', 1, true)
local before, after = sub(key, 1, brace - 1), sub(key, brace)
local order, waiters = before .. 'q' .. after, before .. 'w' .. after
`;

/**
 * An acquire that confirms what was handed to it, or comes to the end of a queue. Who is dead in that is found by
 * others.
 */
export const quickAcquire = `
local what = args[a + 1]
local stop = 1 + byte(what)
local owner = sub(what, 2, stop)
${readQueued}
if ends > now and holder == owner then
  local lasts = now + ttl * 1000
  local last = lasts > q and lasts or q
  call(
    'SET', key,
    sub(stored, 1, 17) .. digits(lasts) .. sub(stored, 34, 50) .. owner .. sub(what, stop + 1),
    'PXAT', digits(math.ceil(last / 1000))
  )
  n = n + 1
  out[n] = tonumber(sub(stored, 2, 17))
  slow = false
elseif ends > now and claim ~= '' and now + claim * 1000 <= q then
  ${queueNames}
  local waiting, wanted = call('ZCARD', order), now + claim * 1000
  if waiting > 0 then
    ${draw}
    -- First the key that was not read: if that is refused, nothing has changed.
    call('HSET', waiters, owner, cmsgpack.pack('x', false, tonumber(claim), args[1], sub(what, stop + 1), wanted))
    if call('ZADD', order, 'NX', digits(clock), owner) == 1 then
      out[place], out[n + 1] = HELD, 1
      out[n + 2] = {
        0, waiting, waiting + 1,
        holder, 'x', tonumber(sub(stored, 2, 17)), math.ceil((ends - now) / 1000), sub(stored, 51 + size)
      }
      n = n + 2
      slow = false
    end
  end
end
`;

/** A release by the holder that hands the lock to the head of the queue, where that lives and wants it for itself. */
export const quickRelease = `
${readQueued}
passedKey = nil
if ends > now and q > now and holder == owner then
  ${queueNames}
  local heads = call('ZRANGE', order, 0, 1)
  local head = heads[1]
  local waiter = head and #head < 128 and call('HGET', waiters, head)
  if waiter then
    local mode, limit, passedFor, channel, info, wanted = cmsgpack.unpack(waiter)
    if mode == 'x' and not limit and wanted > now then
      -- Before the first write: it changes too little to be refused for want of memory, and what follows is not refused
      -- then.
      applying, wrote = true, true
      call('ZREM', order, head)
      call('HDEL', waiters, head)
      ${draw}
      local grant, lasts = clock, now + passedFor * 1000
      if heads[2] then
        passed = 'Q' .. digits(grant) .. digits(lasts) .. sub(stored, 34, 49) .. char(#head) .. head .. info
        passedKey = key
        local last = lasts > q and lasts or q
        call('SET', key, passed, 'PXAT', digits(math.ceil(last / 1000)))
      else
        ${stampGrant}
        call(
          'SET', key, fromText .. char((more - more % 256) / 256, more % 256, #head) .. head .. info,
          'PXAT', digits(floor(lasts / 1000))
        )
      end
      redis.pcall('PUBLISH', channel, digits(grant) .. format(':%d:', #head) .. head .. key)
      n = n + 1
      out[n] = 1 + 2 * passedFor
      slow = false
    end
  end
end
`;
