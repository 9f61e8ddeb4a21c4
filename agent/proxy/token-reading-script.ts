// Cookies are written as in RFC 6265, section 4.2.1, but several lines of them are taken as well, and made one. In a
// query, a semicolon is taken for an ampersand by some (HTML 4.01, appendix B.2.2).
/** Functions in Lua that read, from the headers of a request, what may hold tokens. */
export const TOKEN_READING = `
local function decoded(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(byte) return string.char(tonumber(byte, 16)) end))
end

local function name_of(parameter)
  return decoded(parameter:match("^[^=]*"))
end

local function cookie_name_of(pair)
  return (pair:match("^[^=]*"):gsub('[%s"]', ""))
end

local function values_of(headers, name)
  local values = {}
  for index = 0, headers:getNumValues(name) - 1 do values[#values + 1] = headers:getAtIndex(name, index) end
  return values
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

local function count(names, wanted)
  local found, set = 0, set_of(wanted)
  for _, name in ipairs(names) do
    if set[name] then found = found + 1 end
  end
  return found
end

-- Envoy also takes a token with dots around it. Padding means nothing (RFC 7515, section 2).
local function is_token(text)
  return text:match("^[%w%-_]+%.[%w%-_]+%.[%w%-_]+=*$") ~= nil
end

local function are_tokens(names, values, wanted)
  local set = set_of(wanted)
  for index, name in ipairs(names) do
    if set[name] and not is_token(values[index]) then return false end
  end
  return true
end

local function without(parts, name, unwanted)
  local kept = {}
  for _, part in ipairs(parts) do
    if not unwanted[name(part)] then kept[#kept + 1] = part end
  end
  return kept
end

local function params_of(headers)
  local path, query = (headers:get(":path") or ""):match("^([^?]*)%?(.*)$")
  local names, parts, values = {}, {}, {}
  for part in (query or ""):gmatch("[^&;]+") do
    names[#names + 1] = name_of(part)
    values[#values + 1] = decoded(part:match("=(.*)$") or "")
  end
  for part in (query or ""):gmatch("[^&]+") do parts[#parts + 1] = part end
  return names, parts, values, path
end

local function cookies_of(headers)
  local names, parts, values = {}, {}, {}
  for _, line in ipairs(values_of(headers, "cookie")) do
    for pair in line:gmatch("[^;,]+") do
      names[#names + 1] = cookie_name_of(pair)
      values[#values + 1] = (pair:match("=(.*)$") or ""):match('^%s*"?(.-)"?%s*$')
    end
    for pair in line:gmatch("[^;]+") do parts[#parts + 1] = pair:match("^%s*(.-)%s*$") end
  end
  return names, parts, values
end
`
