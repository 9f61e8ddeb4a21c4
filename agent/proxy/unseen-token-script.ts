/**
 * A function in Lua, `has_odd_token`: whether a request has something that an application may read as a token, in a place
 * for tokens, and that Envoy does not see. It needs the functions of TOKEN_READING.
 */
export const UNSEEN_TOKENS = `
local function is_odd_bearer(value)
  local scheme, rest = value:match("^%s*(%a+)(.*)$")
  if scheme == nil or scheme:lower() ~= "bearer" or rest == "" then return false end
  return rest:sub(1, 1) ~= " " or (scheme ~= "Bearer" and scheme ~= "bearer" and scheme ~= "BEARER")
end

-- In PHP, a blank, a dot or a bracket in a name becomes an underscore; brackets at its end are lost.
local function has_odd_param(headers, wanted)
  local query, set = (headers:get(":path") or ""):match("%?(.*)$") or "", set_of(wanted)
  for part in query:gmatch("[^&]+") do
    local first = true
    for piece in part:gmatch("[^;]+") do
      local name = name_of(piece)
      local usual = name:gsub("^%s+", ""):gsub("%s+$", ""):gsub("%[[^%[]*%].*$", ""):gsub("[ .%[]", "_")
      if set[usual] and not (first and set[name]) then return true end
      first = false
    end
  end
  return false
end

local function has_odd_cookie(headers, wanted)
  local set = set_of(wanted)
  for _, line in ipairs(values_of(headers, "cookie")) do
    for pair in line:gmatch("[^;]+") do
      local name, first = pair:match("^%s*([^=]*)"), true
      for piece in pair:gmatch("[^,]+") do
        if set[cookie_name_of(piece)] and not (first and set[name]) then return true end
        first = false
      end
    end
  end
  return false
end

local function has_odd_token(headers, places)
  if places.bearer then
    for _, value in ipairs(values_of(headers, "authorization")) do
      if is_odd_bearer(value) then return true end
    end
  end
  return (#places.params > 0 and has_odd_param(headers, places.params))
    or (#places.cookies > 0 and has_odd_cookie(headers, places.cookies))
end
`
