import { create } from '@bufbuild/protobuf'
import type { EndUserChecks } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type Lua, LuaSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js'
import { INVALID_TOKEN } from './token-challenge.ts'
import { verifiedTogether } from './token-presence.ts'
import { headerKey, removedBy, tokenPlaces } from './token-providers.ts'

/**
 * What Envoy's filter leaves undone for tokens that it has found good:
 *
 * - A token that names extensions that must be understood is refused, as none is (RFC 7515, section 4.1.11).
 * - A parameter or a cookie for tokens that is there more than once is refused: Envoy looks at the first alone, and the
 *   application may look at the last. (RFC 6750, section 3.1. Of a header, Envoy looks at all.)
 * - A cookie that the application is not to have is removed, and so is a parameter, and whatever Envoy leaves to this
 *   script because of it.
 */
export function afterVerification(checks: EndUserChecks): Lua {
  const together = verifiedTogether(checks)
  return create(LuaSchema, {
    clearRouteCache: false,
    defaultSourceCode: { specifier: { case: 'inlineString', value: SCRIPT } },
    filterContext: {
      providers: checks.providers.map(provider => {
        const { headers, params, cookies } = tokenPlaces(provider)
        return {
          header: headerKey(provider.name),
          forward: provider.forward,
          headers:
            removedBy(provider, together) === 'envoy' ? [] : headers.map(({ name, prefix }) => ({ name, prefix })),
          params: [...params],
          cookies: [...cookies]
        }
      })
    }
  })
}

// Cookies are written as in RFC 6265, section 4.2.1, but several lines of them are taken as well, and made one. In a
// query, a semicolon is taken for an ampersand by some (HTML 4.01, appendix B.2.2).
const SCRIPT = `
local function refuse(handle, why)
  handle:respond({ [":status"] = "401", ["www-authenticate"] = '${INVALID_TOKEN}' }, why)
end

local function decoded(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(byte) return string.char(tonumber(byte, 16)) end))
end

local function name_of(parameter)
  return decoded(parameter:match("^[^=]*"))
end

local function cookie_name_of(pair)
  return (pair:match("^[^=]*"):gsub('[%s"]', ""))
end

local function times(wanted, names)
  local most = 0
  for _, one in ipairs(wanted) do
    local count = 0
    for _, name in ipairs(names) do
      if name == one then count = count + 1 end
    end
    most = math.max(most, count)
  end
  return most
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
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
  local names, parts = {}, {}
  for part in (query or ""):gmatch("[^&;]+") do names[#names + 1] = name_of(part) end
  for part in (query or ""):gmatch("[^&]+") do parts[#parts + 1] = part end
  return names, parts, path
end

local function check_params(headers, provider)
  if #provider.params == 0 then return true end
  local names, parts, path = params_of(headers)
  local found = times(provider.params, names)
  if found > 1 then return false end
  if found == 1 and not provider.forward then
    local kept = without(parts, name_of, set_of(provider.params))
    headers:replace(":path", #kept == 0 and path or path .. "?" .. table.concat(kept, "&"))
  end
  return true
end

local function cookies_of(headers)
  local names, parts = {}, {}
  for index = 0, headers:getNumValues("cookie") - 1 do
    local line = headers:getAtIndex("cookie", index)
    for pair in line:gmatch("[^;,]+") do names[#names + 1] = cookie_name_of(pair) end
    for pair in line:gmatch("[^;]+") do parts[#parts + 1] = pair:match("^%s*(.-)%s*$") end
  end
  return names, parts
end

local function check_cookies(headers, provider)
  if #provider.cookies == 0 then return true end
  local names, parts = cookies_of(headers)
  local found = times(provider.cookies, names)
  if found > 1 then return false end
  if found == 1 and not provider.forward then
    local kept = without(parts, cookie_name_of, set_of(provider.cookies))
    headers:remove("cookie")
    if #kept > 0 then headers:add("cookie", table.concat(kept, "; ")) end
  end
  return true
end

local function remove_headers(headers, provider)
  if provider.forward then return end
  for _, place in ipairs(provider.headers) do
    local value = headers:get(place.name)
    if value ~= nil and value:find(place.prefix, 1, true) ~= nil then headers:remove(place.name) end
  end
end

function envoy_on_request(handle)
  local verified = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  if verified == nil then return end
  local headers = handle:headers()
  for _, provider in ipairs(handle:filterContext():get("providers")) do
    local header = verified[provider.header]
    if header ~= nil then
      if header.crit ~= nil then return refuse(handle, "Jwt has extensions that must be understood, and are not") end
      if not check_params(headers, provider) or not check_cookies(headers, provider) then
        return refuse(handle, "Jwt is there more than once")
      end
      remove_headers(headers, provider)
    end
  end
end
`
