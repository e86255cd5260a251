-- Refuses JSON bodies with fields that the contract does not know: Envoy's own JSON filter would drop them without a word.
-- BODIES and FIELDS are put before this text by strict_json.py:
--   BODIES  { {verb, pattern of the path, message}, … }
--   FIELDS  message -> field -> true (a value), message, or "*message" (a map of them; "*" = a map of values)
-- Malformed JSON is left to the JSON filter, which says what is wrong with it.

local byte, find, sub = string.byte, string.find, string.sub
local DEEPEST = 64

local function after_space(text, at)
  return find(text, "[^ \t\r\n]", at) or #text + 1
end

local function after_string(text, at)
  local from = at + 1
  while true do
    local hit = find(text, '["\\]', from)
    if not hit then error("malformed") end
    if byte(text, hit) == 34 then return hit + 1 end
    from = hit + 2
  end
end

local walk

-- Position after "]" or "}"; `item` reads one entry and returns the position after it.
local function walk_entries(text, at, close, item)
  at = after_space(text, at + 1)
  if byte(text, at) == close then return at + 1 end
  while true do
    at = after_space(text, item(at))
    local mark = byte(text, at)
    if mark == close then return at + 1 end
    if mark ~= 44 then error("malformed") end
    at = after_space(text, at + 1)
  end
end

local function kind_of(name, kind)
  if type(kind) ~= "string" then return nil end
  if byte(kind) == 42 then return #kind > 1 and sub(kind, 2) or nil end
  local found = FIELDS[kind]
  if not found then return nil end
  if found[name] == nil then error({ field = name, message = kind }) end
  return found[name]
end

walk = function(text, at, kind, depth)
  if depth > DEEPEST then error("malformed") end
  local mark = byte(text, at)
  if mark == 123 then
    return walk_entries(text, at, 125, function(entry)
      if byte(text, entry) ~= 34 then error("malformed") end
      local stop = after_string(text, entry)
      local inner = kind_of(sub(text, entry + 1, stop - 2), kind)
      local colon = after_space(text, stop)
      if byte(text, colon) ~= 58 then error("malformed") end
      return walk(text, after_space(text, colon + 1), inner, depth + 1)
    end)
  elseif mark == 91 then
    return walk_entries(text, at, 93, function(entry) return walk(text, entry, kind, depth + 1) end)
  elseif mark == 34 then
    return after_string(text, at)
  end
  local stop = find(text, "[,%]} \t\r\n]", at) or #text + 1
  if stop == at then error("malformed") end
  return stop
end

local function known_fields(message)
  local names = {}
  for name in pairs(FIELDS[message]) do
    if not find(name, "_") then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if find(headers:get("content-type") or "", "^application/grpc") then return end
  local verb, path = headers:get(":method"), string.gsub(headers:get(":path") or "", "%?.*", "")
  for _, entry in ipairs(BODIES) do
    if entry[1] == verb and find(path, entry[2]) then
      local body = handle:body()
      if not body then return end
      local text = body:getBytes(0, body:length())
      local fine, problem = pcall(walk, text, after_space(text, 1), entry[3], 0)
      if not fine and type(problem) == "table" then
        local known = known_fields(problem.message)
        handle:respond({ [":status"] = "400" },
          "unknown field '" .. sub(problem.field, 1, 80) .. "' in " .. problem.message .. "; it has: " .. known)
      end
      return
    end
  end
end
