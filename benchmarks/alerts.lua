-- The same four alerts as Alertmanager's own API takes them, new in every request.
local padding = string.rep("All requests of this pod wait for a connection. ", 7)
local count = 0
local run = ""

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  math.randomseed(os.time() + math.floor(os.clock() * 1e6))
  run = tostring(os.time()) .. "-" .. tostring(math.random(1, 1000000000))
end

local function alert(n, key)
  return string.format(
    '{"labels":{"alertname":"HighErrorRate","severity":"critical","component":"api",' ..
    '"slo":"error_rate","cluster":"prod-eu-1","environment":"production","job":"schema-registry",' ..
    '"namespace":"schema-registry","pod":"schema-registry-6c9f7d5b8-%04d","instance":"10.244.0.%d:9091",' ..
    '"group":"%s"},"annotations":{"summary":"8.5%% of requests fail","description":"%s"},' ..
    '"startsAt":"2026-11-23T03:02:14.318Z","generatorURL":"http://prometheus:9090/graph?g0.expr=up&g0.tab=1"}',
    n, n, key, padding)
end

function request()
  count = count + 1
  local key = run .. "-" .. count
  return wrk.format(nil, nil, nil,
    "[" .. alert(1, key) .. "," .. alert(2, key) .. "," .. alert(3, key) .. "," .. alert(4, key) .. "]")
end
