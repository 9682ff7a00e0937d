-- Counts a hit for every key, if none of them is at its quota; otherwise for none.
-- ARGV: now, then for every key how many hits and within how many milliseconds. Answers for every key how many hits count, and
-- the oldest of these. A value holds the newest hits, newest first.
local now = tonumber(ARGV[1])
local kept, seen, refused = {}, {}, false

for i, key in ipairs(KEYS) do
  local most, span = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local hits, counting, oldest = {}, 0, 0
  for hit in string.gmatch(redis.call('GET', key) or '', '[^,]+') do
    hit = tonumber(hit)
    if hit < now + span and #hits < most then
      hits[#hits + 1] = hit
      if hit > now - span then
        counting, oldest = counting + 1, hit
      end
    end
  end
  refused = refused or counting >= most
  kept[i] = hits
  seen[2 * i - 1], seen[2 * i] = counting, oldest
end

if not refused then
  for i, key in ipairs(KEYS) do
    local most, span = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local hits, place = kept[i], 1
    while hits[place] and hits[place] > now do
      place = place + 1
    end
    table.insert(hits, place, now)
    if #hits > most then
      table.remove(hits)
    end
    for n, hit in ipairs(hits) do
      -- Not tostring, which writes 14 digits at most.
      hits[n] = string.format('%.0f', hit)
    end
    local lives = tonumber(hits[1]) + span - now
    redis.call('SET', key, table.concat(hits, ','), 'PX', string.format('%.0f', lives))
  end
end

return seen
