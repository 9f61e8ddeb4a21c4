import { create, type JsonObject } from '@bufbuild/protobuf'
import type { EndUserChecks, TokenProvider, TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type Lua, LuaSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js'
import { LOCAL_PORT_HEADER } from './local-port.ts'
import { SESSION_HEADER } from './login.ts'
import { INVALID_TOKEN } from './token-challenge.ts'
import { headerKey, isBearer, payloadKey, type TokenPlaces, tokenPlaces } from './token-providers.ts'
import { TOKEN_READING } from './token-reading-script.ts'
import { UNSEEN_TOKENS } from './unseen-token-script.ts'

/**
 * What Envoy's filter leaves undone:
 *
 * - A token that names extensions that must be understood is refused, as none is (RFC 7515, section 4.1.11).
 * - More than one token is refused, in one place or in several: Envoy looks at some of them, the application may look
 *   at another, and the claims of all would be in one header (RFC 6750, sections 2 and 3.1). So is a header that holds
 *   anything beside the token.
 * - Where tokens of several providers may be there, one that was not verified is refused: Envoy is content with another
 *   that was.
 * - A claim that fits no header is refused: with a control character Envoy would answer 503, a blank at an end would be
 *   lost (RFC 9110, section 5.5), and of a number that is not exact in double precision Envoy writes another.
 * - Where no token is needed, one is refused that Envoy does not see and the application may see: with the scheme Bearer,
 *   a parameter or a cookie in a spelling that Envoy does not look for.
 * - A token that the application is not to have is removed from where it was.
 */
export const afterVerification = (checks: EndUserChecks): Lua =>
  create(LuaSchema, {
    clearRouteCache: false,
    defaultSourceCode: { specifier: { case: 'inlineString', value: SCRIPT } },
    filterContext: {
      optional: optionalContext(checks),
      combined: checks.rules
        .filter(({ alsoRequired, optionalProviders }) => alsoRequired.length + optionalProviders.length > 0)
        .map(rule => combinedContext(rule, checks.providers)),
      providers: checks.providers.map(provider => ({
        header: headerKey(provider.name),
        payload: payloadKey(provider.name),
        forward: provider.forward,
        outputs: [
          ...provider.claimHeaders.map(({ header, claim }) => ({ header: header.toLowerCase(), claim })),
          ...(provider.payloadHeader === '' ? [] : [{ header: provider.payloadHeader.toLowerCase(), claim: '' }])
        ],
        own: placesContext([tokenPlaces(provider)]),
        accountsFor: placesContext([tokenPlaces(provider), ...(isSession(provider) ? [ACCESS_TOKEN] : [])]),
        all: placesContext(sameRule(checks, provider).map(tokenPlaces))
      }))
    }
  })

/** Where there may be tokens that rules do not need, and the ports where these rules do not hold. */
const optionalContext = ({ providers, rules }: EndUserChecks): JsonObject[] =>
  rules.flatMap(rule => {
    const places = placesOf(rule.required ? rule.optionalProviders : rule.providers, providers)
    if (places.length === 0) return []
    const bearer = places.some(({ headers }) => headers.some(isBearer))
    return [{ ...placesContext(places), bearer, exemptPorts: rule.exemptPorts.map(String) }]
  })

/** A rule for tokens of several providers: which must have been verified where it decided, and where any may be. */
const combinedContext = (rule: TokenRule, providers: readonly TokenProvider[]): JsonObject => ({
  any: rule.providers.map(headerKey),
  every: rule.alsoRequired.map(headerKey),
  places: placesContext(placesOf([...rule.providers, ...rule.alsoRequired, ...rule.optionalProviders], providers)),
  exemptPorts: rule.exemptPorts.map(String)
})

const placesOf = (names: readonly string[], providers: readonly TokenProvider[]): readonly TokenPlaces[] =>
  providers.filter(({ name }) => names.includes(name)).map(tokenPlaces)

/** Where the filter of a login puts the access token of a session. What a client sent there is gone by then. */
const ACCESS_TOKEN: TokenPlaces = { headers: [{ name: 'authorization', prefix: '' }], params: [], cookies: [] }

/**
 * Providers of whose tokens a request may have one. The session of a login is not among those of the others: with it
 * goes an access token, where the application is to have that.
 */
function sameRule({ providers, rules }: EndUserChecks, provider: TokenProvider): readonly TokenProvider[] {
  if (isSession(provider)) return [provider]
  const names = rules.filter(rule => rule.providers.includes(provider.name)).flatMap(rule => rule.providers)
  return [provider, ...providers.filter(other => other !== provider && names.includes(other.name) && !isSession(other))]
}

const isSession = ({ fromHeaders }: TokenProvider): boolean => fromHeaders.some(({ name }) => name === SESSION_HEADER)

const unique = (texts: readonly string[]): string[] => [...new Set(texts)]

function placesContext(places: readonly TokenPlaces[]): JsonObject {
  const headers = places.flatMap(each => each.headers.map(({ name, prefix }) => ({ name: name.toLowerCase(), prefix })))
  return {
    headers: unique(headers.map(({ name }) => name)).map(name => ({
      name,
      prefixes: unique(headers.filter(header => header.name === name).map(({ prefix }) => prefix))
    })),
    params: unique(places.flatMap(({ params }) => params)),
    cookies: unique(places.flatMap(({ cookies }) => cookies))
  }
}

const SCRIPT = `${TOKEN_READING}${UNSEEN_TOKENS}
local MORE_THAN_ONE = "Jwt is there more than once"

local function refuse(handle, why)
  handle:respond({ [":status"] = "401", ["www-authenticate"] = '${INVALID_TOKEN}' }, why)
end

-- Whether there is something of a token in a value, and whether that is all there is. Envoy looks for the prefix anywhere.
local function token_in(value, prefixes)
  local there = false
  for _, prefix in ipairs(prefixes) do
    if value:find(prefix, 1, true) ~= nil then
      there = true
      if value:sub(1, #prefix) == prefix and is_token(value:sub(#prefix + 1):match("^ *(.-) *$")) then return true, true end
    end
  end
  return there, not there
end

-- How many tokens there are in these places; nil where there is anything else in one of them.
local function tokens_in(headers, places)
  local found = 0
  for _, place in ipairs(places.headers) do
    for _, value in ipairs(values_of(headers, place.name)) do
      local there, alone = token_in(value, place.prefixes)
      if not alone then return nil end
      if there then found = found + 1 end
    end
  end
  for of, wanted in pairs({ [params_of] = places.params, [cookies_of] = places.cookies }) do
    if #wanted > 0 then
      local names, _, values = of(headers)
      found = found + count(names, wanted)
      if found < 2 and not are_tokens(names, values, wanted) then return nil end
    end
  end
  return found
end

local function is_exempt(headers, ports)
  return set_of(ports)[headers:get("${LOCAL_PORT_HEADER}") or ""] == true
end

-- Whether the rule may be the one that decided: what it requires was verified.
local function may_have_decided(rule, verified)
  for _, key in ipairs(rule.every) do
    if verified[key] == nil then return false end
  end
  for _, key in ipairs(rule.any) do
    if verified[key] ~= nil then return true end
  end
  return false
end

-- The places of the providers whose tokens were verified. Each of them has one token there, which tokens_in sees to.
local function places_of_verified(providers, verified)
  local places = { headers = {}, params = {}, cookies = {} }
  for _, provider in ipairs(providers) do
    if verified[provider.header] ~= nil then
      for _, place in ipairs(provider.accountsFor.headers) do
        local prefixes = places.headers[place.name] or {}
        for _, prefix in ipairs(place.prefixes) do prefixes[#prefixes + 1] = prefix end
        places.headers[place.name] = prefixes
      end
      for _, name in ipairs(provider.accountsFor.params) do places.params[name] = true end
      for _, name in ipairs(provider.accountsFor.cookies) do places.cookies[name] = true end
    end
  end
  return places
end

local function has_name_besides(names, wanted, known)
  local set = set_of(wanted)
  for _, name in ipairs(names) do
    if set[name] and not known[name] then return true end
  end
  return false
end

-- Whether there is a token in these places that is in none of the known ones.
local function has_token_besides(headers, places, known)
  for _, place in ipairs(places.headers) do
    for _, value in ipairs(values_of(headers, place.name)) do
      if token_in(value, place.prefixes) and not token_in(value, known.headers[place.name] or {}) then return true end
    end
  end
  return (#places.params > 0 and has_name_besides(params_of(headers), places.params, known.params))
    or (#places.cookies > 0 and has_name_besides(cookies_of(headers), places.cookies, known.cookies))
end

local function has_unverified_token(headers, context, verified)
  local known = places_of_verified(context:get("providers"), verified)
  for _, rule in ipairs(context:get("combined")) do
    if not is_exempt(headers, rule.exemptPorts) and may_have_decided(rule, verified)
      and has_token_besides(headers, rule.places, known) then
      return true
    end
  end
  return false
end

local function remove_token(headers, places)
  for _, place in ipairs(places.headers) do
    for _, value in ipairs(values_of(headers, place.name)) do
      if token_in(value, place.prefixes) then
        headers:remove(place.name)
        break
      end
    end
  end
  if #places.params > 0 then
    local names, parts, _, path = params_of(headers)
    if count(names, places.params) > 0 then
      local kept = without(parts, name_of, set_of(places.params))
      headers:replace(":path", #kept == 0 and path or path .. "?" .. table.concat(kept, "&"))
    end
  end
  if #places.cookies > 0 then
    local names, parts = cookies_of(headers)
    if count(names, places.cookies) > 0 then
      local kept = without(parts, cookie_name_of, set_of(places.cookies))
      headers:remove("cookie")
      if #kept > 0 then headers:add("cookie", table.concat(kept, "; ")) end
    end
  end
end

-- 2^53: from here on, not every whole number is exact.
local INEXACT = 9007199254740992

-- Also within a list or an object: the header holds all of it.
local function is_inexact(value)
  if type(value) ~= "table" then return type(value) == "number" and math.abs(value) >= INEXACT end
  for _, part in pairs(value) do
    if is_inexact(part) then return true end
  end
  return false
end

local function claim_of(payload, claim)
  local value = payload
  for name in claim:gmatch("[^.]+") do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

local function fits_no_header(headers, payload, outputs)
  for _, output in ipairs(outputs) do
    -- No claim: the payload as it is in the token, with the numbers as they are written there.
    if output.claim ~= "" and is_inexact(claim_of(payload, output.claim)) then return true end
    local values = values_of(headers, output.header)
    -- Two policies may have verified one token, and both have written the header.
    if #values > 1 then headers:replace(output.header, values[1]) end
    for _, value in ipairs(values) do
      if value ~= values[1] or value:find("%c") ~= nil or value:find("^ ") ~= nil or value:find(" $") ~= nil then return true end
    end
  end
  return false
end

function envoy_on_request(handle)
  local headers, context = handle:headers(), handle:filterContext()
  local verified = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn") or {}
  if has_unverified_token(headers, context, verified) then return refuse(handle, "Jwt was not verified") end
  for _, provider in ipairs(context:get("providers")) do
    local header = verified[provider.header]
    if header ~= nil then
      if header.crit ~= nil then return refuse(handle, "Jwt has extensions that must be understood, and are not") end
      local found = tokens_in(headers, provider.all)
      if found == nil then return refuse(handle, "Jwt is not alone in its place") end
      if found > 1 then return refuse(handle, MORE_THAN_ONE) end
      if fits_no_header(headers, verified[provider.payload], provider.outputs) then
        return refuse(handle, "Jwt has a claim that fits no header")
      end
      if not provider.forward then remove_token(headers, provider.own) end
    end
  end
  for _, places in ipairs(context:get("optional")) do
    if not is_exempt(headers, places.exemptPorts) and has_odd_token(headers, places) then
      return refuse(handle, "Jwt is in a place that is written in no usual way")
    end
  end
end
`
