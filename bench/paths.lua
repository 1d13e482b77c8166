-- wrk: the targets of BENCH_PATHS one after the other, with BENCH_METHOD, BENCH_HEADERS and a body of BENCH_BODY bytes; each connection
-- waits BENCH_DELAY ms between two requests.
local paths, at, headers = {}, 0, {}
local method = os.getenv("BENCH_METHOD") or "GET"
local size = tonumber(os.getenv("BENCH_BODY") or "0")
local body = size > 0 and string.rep("x", size) or nil
local pause = tonumber(os.getenv("BENCH_DELAY") or "0")
for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = line end
for name, value in (os.getenv("BENCH_HEADERS") or ""):gmatch("([^\n:]+): ([^\n]+)") do headers[name] = value end

request = function()
	at = at % #paths + 1
	return wrk.format(method, paths[at], headers, body)
end

if pause > 0 then
	delay = function() return pause end
end

done = function(summary, latency)
	local e = summary.errors
	io.write(string.format("RESULT requests=%d bytes=%d micros=%d p50=%d p99=%d errors=%d\n", summary.requests, summary.bytes,
		summary.duration, latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
