-- GETs of one path with changing numbers, drawn from a distribution with a fixed seed: every run asks for the same.
-- wrk -s load.lua URL -- PATH_WITH_{n} COUNT uniform|zipf BEARER

local DRAWS = 200000
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end

local function zipf(count)
  local cumulative, sum = {}, 0
  for rank = 1, count do
    sum = sum + 1 / rank
    cumulative[rank] = sum
  end
  return function()
    local wanted, low, high = math.random() * sum, 1, count
    while low < high do
      local middle = math.floor((low + high) / 2)
      if cumulative[middle] < wanted then low = middle + 1 else high = middle end
    end
    return low - 1
  end
end

local numbers, requests, position = {}, {}, 0
local path, headers

function init(arguments)
  path = arguments[1]
  headers = { ["Authorization"] = "Bearer " .. arguments[4] }
  local count = tonumber(arguments[2])
  local draw = arguments[3] == "zipf" and zipf(count) or function() return math.random(0, count - 1) end
  math.randomseed(seed)
  for i = 1, DRAWS do numbers[i] = draw() end
end

function request()
  position = position % DRAWS + 1
  local number = numbers[position]
  local text = requests[number]
  if not text then
    text = wrk.format("GET", (path:gsub("{n}", number)), headers)
    requests[number] = text
  end
  return text
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
