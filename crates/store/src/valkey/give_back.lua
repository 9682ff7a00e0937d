-- Takes the hit at ARGV[1] back from every key that has one.
for _, key in ipairs(KEYS) do
  local hits, found = {}, false
  for hit in string.gmatch(redis.call('GET', key) or '', '[^,]+') do
    if hit == ARGV[1] and not found then
      found = true
    else
      hits[#hits + 1] = hit
    end
  end
  if found and #hits > 0 then
    redis.call('SET', key, table.concat(hits, ','), 'KEEPTTL')
  elseif found then
    redis.call('DEL', key)
  end
end
