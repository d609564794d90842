-- A 4-alert webhook body of about 4 kB with a new group key in every request.
local wrk_thread = 0
local padding = string.rep("All requests of this pod wait for a connection. ", 7)

local function alert(n)
  return string.format(
    '{"status":"firing","labels":{"alertname":"HighErrorRate","severity":"critical",' ..
    '"component":"api","slo":"error_rate","cluster":"prod-eu-1","environment":"production",' ..
    '"job":"schema-registry","namespace":"schema-registry","pod":"schema-registry-6c9f7d5b8-%04d",' ..
    '"instance":"10.244.0.%d:9091"},"annotations":{"summary":"8.5%% of requests fail","description":"%s"},' ..
    '"startsAt":"2026-11-23T03:02:14.318Z","endsAt":"0001-01-01T00:00:00Z",' ..
    '"generatorURL":"http://prometheus:9090/graph?g0.expr=up&g0.tab=1","fingerprint":"71b9f7caa8f7d0%02x"}',
    n, n, padding, n)
end

local alerts = table.concat({alert(1), alert(2), alert(3), alert(4)}, ",")
local before = '{"version":"4","truncatedAlerts":0,"status":"firing","receiver":"alert-router",' ..
  '"groupLabels":{"alertname":"HighErrorRate"},"commonLabels":{"alertname":"HighErrorRate",' ..
  '"severity":"critical","component":"api"},"commonAnnotations":{"summary":"8.5% of requests fail"},' ..
  '"externalURL":"http://alertmanager:9093","alerts":[' .. alerts .. '],"groupKey":"'
local count = 0
local run = tostring(os.time()) .. tostring(math.random(1, 1000000000))

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  math.randomseed(os.time() + math.floor(os.clock() * 1e6))
  run = tostring(os.time()) .. "-" .. tostring(math.random(1, 1000000000))
end

function request()
  count = count + 1
  return wrk.format(nil, nil, nil, before .. "{}:" .. run .. "-" .. count .. '"}')
end
